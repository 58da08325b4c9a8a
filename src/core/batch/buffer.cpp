// A growable piece of raw memory that never throws.
#include "core/batch/buffer.h"

#include <sys/mman.h>

#include <algorithm>

namespace epe {

namespace {

// Pieces of at least this size are mappings of their own and grow by mremap. malloc does this only
// up to a threshold that rises with use: in a warm session it would copy large columns repeatedly
// as they grow, and touch fresh pages each time.
constexpr std::size_t kMapped = std::size_t{4} << 20;
// Of mappings whose size is a multiple of it, the kernel aligns the start to it as well, so that
// they consist of large pages and are moved by them.
constexpr std::size_t kLargePage = std::size_t{2} << 20;

std::size_t capacity_for(std::size_t size) noexcept {
    return size < kMapped ? size : (size + kLargePage - 1) / kLargePage * kLargePage;
}

std::byte* map(std::size_t size) noexcept {
    void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    // Filling fresh memory is mostly page faults; large pages have five hundred times fewer. Only a
    // hint.
    (void)madvise(mapped, size, MADV_HUGEPAGE);
    return static_cast<std::byte*>(mapped);
}

void release(std::byte* data, std::size_t capacity) noexcept {
    if (capacity >= kMapped)
        munmap(data, capacity);
    else
        std::free(data);
}

/// Grows `data` to `wanted` bytes and keeps the first `used`; returns null, with nothing changed,
/// when memory is exhausted.
std::byte* resize_piece(std::byte* data, std::size_t used, std::size_t capacity,
                        std::size_t wanted) noexcept {
    if (wanted < kMapped && capacity < kMapped)
        return static_cast<std::byte*>(std::realloc(data, wanted));
    if (wanted >= kMapped && capacity >= kMapped) {
        void* moved = mremap(data, capacity, wanted, MREMAP_MAYMOVE);
        return moved == MAP_FAILED ? nullptr : static_cast<std::byte*>(moved);
    }
    std::byte* fresh =
        wanted >= kMapped ? map(wanted) : static_cast<std::byte*>(std::malloc(wanted));
    if (fresh == nullptr) return nullptr;
    if (used > 0) std::memcpy(fresh, data, used);
    release(data, capacity);
    return fresh;
}

}  // namespace

Buffer::~Buffer() {
    if (lease_ != nullptr)
        lease_->drop();
    else
        release(data_, capacity_);
}

Buffer Buffer::borrow(std::byte* data, std::size_t size, Lease& lease) noexcept {
    Buffer buffer;
    buffer.data_ = data;
    buffer.size_ = size;
    buffer.capacity_ = size;
    buffer.lease_ = &lease;
    lease.add();
    return buffer;
}

/// Replaces borrowed memory by a copy.
bool Buffer::own(std::size_t capacity) noexcept {
    std::byte* copied = resize_piece(nullptr, 0, 0, capacity);
    if (copied == nullptr) return false;
    if (size_ > 0) std::memcpy(copied, data_, size_);
    data_ = copied;
    capacity_ = capacity;
    std::exchange(lease_, nullptr)->drop();
    return true;
}

bool Buffer::grow(std::size_t size) noexcept {
    constexpr std::size_t kSmallest = 64;
    const std::size_t wanted = capacity_for(std::max({size, capacity_ + capacity_ / 2, kSmallest}));
    if (lease_ != nullptr) return own(wanted);
    std::byte* grown = resize_piece(data_, size_, capacity_, wanted);
    if (grown == nullptr) return false;
    data_ = grown;
    capacity_ = wanted;
    return true;
}

void Buffer::shrink() noexcept {
    if (size_ == capacity_ && size_ > 0) return;
    if (size_ == 0) {
        Buffer().swap(*this);
        return;
    }
    // If the smaller allocation fails, the larger piece stays in use.
    if (lease_ != nullptr) {
        (void)own(size_);
        return;
    }
    if (std::byte* smaller = resize_piece(data_, size_, capacity_, size_)) {
        data_ = smaller;
        capacity_ = size_;
    }
}

}  // namespace epe
