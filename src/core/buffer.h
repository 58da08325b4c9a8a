// A growable piece of raw memory that never throws: what columns are made of.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace epe {

/// Owns a piece of memory: malloc'ed, or from a few MB on a mapping of its own, whose growth moves
/// pages instead of copying them. Every growing call returns false when memory is exhausted and
/// changes nothing then: buffers are filled below PostgreSQL and Python frames, where C++ may not
/// throw.
class Buffer {
   public:
    Buffer() = default;
    ~Buffer();
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        Buffer moved(std::move(other));
        swap(moved);
        return *this;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::byte* data() noexcept { return data_; }
    const std::byte* data() const noexcept { return data_; }
    template <typename T>
    T* as() noexcept {
        return reinterpret_cast<T*>(data_);
    }
    template <typename T>
    const T* as() const noexcept {
        return reinterpret_cast<const T*>(data_);
    }

    /// Makes room for `size` bytes in all; the contents stay.
    [[nodiscard]] bool reserve(std::size_t size) noexcept {
        return size <= capacity_ || grow(size);
    }
    /// Sets the size; new bytes are not initialised.
    [[nodiscard]] bool resize(std::size_t size) noexcept {
        if (!reserve(size)) return false;
        size_ = size;
        return true;
    }
    [[nodiscard]] bool resize_zeroed(std::size_t size) noexcept {
        const std::size_t old_size = size_;
        if (!resize(size)) return false;
        if (size > old_size) std::memset(data_ + old_size, 0, size - old_size);
        return true;
    }
    [[nodiscard]] bool append(const void* bytes, std::size_t count) noexcept {
        if (count > capacity_ - size_ && !grow(size_ + count)) return false;
        if (count > 0) std::memcpy(data_ + size_, bytes, count);
        size_ += count;
        return true;
    }
    template <typename T>
    [[nodiscard]] bool push(T value) noexcept {
        if (sizeof(T) > capacity_ - size_ && !grow(size_ + sizeof(T))) return false;
        std::memcpy(data_ + size_, &value, sizeof(T));
        size_ += sizeof(T);
        return true;
    }
    /// Gives back what growth took in advance.
    void shrink() noexcept;
    void clear() noexcept { size_ = 0; }
    void swap(Buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

   private:
    bool grow(std::size_t size) noexcept;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace epe
