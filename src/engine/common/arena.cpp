// Shared memory that carries the data of batches between a backend and its engines.
#include "engine/common/arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "core/error.h"
#include "engine/common/wire.h"

namespace epe::engine {

namespace {

constexpr std::size_t kLargestArena = std::size_t{1} << 46;

/// The meaning of a system error for a statement.
const char* state_of(int error) noexcept {
    switch (error) {
        case ENOSPC:
            return "53100";
        case EMFILE:
        case ENFILE:
            return "53000";
        default:
            return sqlstate::kOutOfMemory;
    }
}

[[noreturn]] void raise(const char* doing, std::size_t size, int error) {
    throw Error(state_of(error),
                std::string("could not ") + doing + " " + std::to_string(size) +
                    " bytes of shared memory: " + std::generic_category().message(error));
}

/// Sizes the file and allocates all its pages now: under a strict memory limit, a page that cannot
/// be allocated later would end the backend by SIGBUS. In steps, since a signal restarts a step.
int allocate(int descriptor, std::size_t size) noexcept {
    constexpr std::size_t kStep = std::size_t{8} << 20;
    if (ftruncate(descriptor, static_cast<off_t>(size)) != 0) return errno;
    for (std::size_t done = 0; done < size;) {
        const std::size_t step = std::min(kStep, size - done);
        if (fallocate(descriptor, 0, static_cast<off_t>(done), static_cast<off_t>(step)) == 0)
            done += step;
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

}  // namespace

Mapping::Mapping(int descriptor, std::size_t size) {
    void* const mapped =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, 0);
    if (mapped == MAP_FAILED) raise("map", size, errno);
    data_ = static_cast<std::byte*>(mapped);
    size_ = size;
}

Mapping::~Mapping() {
    if (data_ != nullptr) munmap(data_, size_);
}

Arena Arena::create(std::uint32_t id, std::size_t least_size) {
    if (least_size > kLargestArena) raise("allocate", least_size, ENOMEM);
    const std::size_t size = arena_size(least_size);
    Arena arena;
    arena.id_ = id;
    arena.descriptor_ = memfd_create("oml_epe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (arena.descriptor_ < 0) raise("create", size, errno);
    if (const int error = allocate(arena.descriptor_, size); error != 0)
        raise("allocate", size, error);
    constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (fcntl(arena.descriptor_, F_ADD_SEALS, kSeals) != 0) raise("seal", size, errno);
    arena.mapping_ = Mapping(arena.descriptor_, size);
    return arena;
}

Arena::~Arena() {
    if (descriptor_ >= 0) close(descriptor_);
}

Mapping map_arena(int descriptor) {
    struct Closer {
        int descriptor;
        ~Closer() {
            if (descriptor >= 0) close(descriptor);
        }
    };
    const Closer closer{descriptor};
    struct stat status {};
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0)
        throw ProtocolError("a descriptor is not shared memory");
    // Without the seal, the memory might shrink while it is read.
    const int seals = fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
        throw ProtocolError("shared memory is not sealed");
    return {descriptor, static_cast<std::size_t>(status.st_size)};
}

}  // namespace epe::engine
