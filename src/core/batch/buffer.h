// A growable piece of raw memory that never throws: the storage of columns.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace epe {

/// Reference count of memory that buffers borrow. The lender holds a reference of its own while it
/// lends, so that memory that was never borrowed is freed too. Thread-safe (consumers of Arrow
/// arrays release them on any thread); must outlive its borrowers. Can be reused once the count is
/// zero.
class Lease {
   public:
    Lease() = default;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    void add() noexcept { holders_.fetch_add(1, std::memory_order_relaxed); }
    void drop() noexcept {
        if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) on_free();
    }

   protected:
    virtual ~Lease() = default;

   private:
    /// Called on the last drop(), on its thread; may delete this.
    virtual void on_free() noexcept = 0;

    std::atomic<std::int64_t> holders_{0};
};

/// Owns a piece of memory: malloc'ed, or from a few MB on a mapping of its own, whose growth moves
/// pages instead of copying them. Every growing call returns false when memory is exhausted and
/// changes nothing then: buffers are filled below PostgreSQL and Python frames, where C++ may not
/// throw. A buffer may also borrow its memory; it switches to a copy of its own when it must grow
/// or shrink.
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
    /// Borrows `size` writable bytes, which stay valid while `lease` is held.
    static Buffer borrow(std::byte* data, std::size_t size, Lease& lease) noexcept;

    bool is_borrowed() const noexcept { return lease_ != nullptr; }
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
    /// Frees the spare capacity.
    void shrink() noexcept;
    void clear() noexcept { size_ = 0; }
    void swap(Buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(lease_, other.lease_);
    }

   private:
    bool grow(std::size_t size) noexcept;
    bool own(std::size_t capacity) noexcept;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    Lease* lease_ = nullptr;  // of borrowed memory
};

/// For callers of buffers and builders that may throw: false means that memory is exhausted.
inline void check_allocated(bool is_done) {
    if (!is_done) throw std::bad_alloc();
}

}  // namespace epe
