// Shared memory that carries the data of batches between a backend and its engines.
//
// The backend creates arenas and sends their descriptors; an engine maps each and keeps the
// mapping, since fresh pages cost several times the copy through them. An arena is never resized: a
// seal on each side enforces that, so that no access can fail with SIGBUS whatever the peer does.
// The protocol defines whose turn it is to write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace epe::engine {

/// Size of the arena for `least_size` bytes: 64 KiB times a power of two or one and a half of it,
/// so that arenas fit the next batch as well.
constexpr std::size_t arena_size(std::size_t least_size) noexcept {
    std::size_t size = std::size_t{64} << 10;
    while (size < least_size && size + size / 2 < least_size) size *= 2;
    return size < least_size ? size + size / 2 : size;
}

/// Pages of shared memory in this process; unmapped at the end.
class Mapping {
   public:
    Mapping() = default;
    /// Maps the first `size` bytes of a descriptor, which the caller keeps; all pages at once.
    /// Throws Error 53200.
    Mapping(int descriptor, std::size_t size);
    ~Mapping();
    Mapping(Mapping&& other) noexcept { swap(other); }
    Mapping& operator=(Mapping&& other) noexcept {
        Mapping moved(std::move(other));
        swap(moved);
        return *this;
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    void swap(Mapping& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

   private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// The backend's side: owns the memory and a descriptor of it.
class Arena {
   public:
    /// All its memory is allocated when this returns: a later write cannot run out of memory.
    /// Throws Error 53200, 53100 when the system reports no space, 53000 when it has no descriptors
    /// left.
    static Arena create(std::uint32_t id, std::size_t least_size);
    ~Arena();
    Arena(Arena&& other) noexcept { swap(other); }
    Arena& operator=(Arena&& other) noexcept {
        Arena moved(std::move(other));
        swap(moved);
        return *this;
    }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    std::uint32_t id() const noexcept { return id_; }
    /// Close-on-exec. To be sent to the engine unchanged.
    int descriptor() const noexcept { return descriptor_; }
    std::size_t size() const noexcept { return mapping_.size(); }
    std::byte* data() const noexcept { return mapping_.data(); }

   private:
    Arena() = default;
    void swap(Arena& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(descriptor_, other.descriptor_);
        mapping_.swap(other.mapping_);
    }

    std::uint32_t id_ = 0;
    int descriptor_ = -1;
    Mapping mapping_{};
};

/// The engine's side: maps a whole arena that the backend sent. Closes the descriptor in any case.
/// Throws ProtocolError when it is not an arena, Error 53200 as Mapping does.
Mapping map_arena(int descriptor);

}  // namespace epe::engine
