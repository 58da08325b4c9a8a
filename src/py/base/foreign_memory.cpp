// Memory of a script's objects, read through a pipe.
#include "py/base/foreign_memory.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "core/error.h"
#include "py/base/interrupt_internal.h"

namespace epe::py {

namespace {

constexpr std::size_t kPiece = 65536;  // default capacity of a pipe
constexpr std::size_t kPages = 256;    // checked by one system call

[[noreturn]] void fail(const char* what) {
    throw Error(sqlstate::kInsufficientResources,
                std::string(what) + ": " + std::generic_category().message(errno));
}

}  // namespace

PipeMemory::PipeMemory() {
    if (pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0) fail("could not create a pipe");
}

PipeMemory::~PipeMemory() {
    close(ends_[0]);
    close(ends_[1]);
}

void PipeMemory::drain(void* to, std::size_t size) {
    auto* at = static_cast<char*>(to);
    while (size > 0) {
        const ssize_t count = read(ends_[0], at, size);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) fail("could not read from a pipe");
        at += count;
        size -= static_cast<std::size_t>(count);
    }
}

bool PipeMemory::copy(void* to, const void* from, std::size_t size) {
    auto* target = static_cast<char*>(to);
    const auto* source = static_cast<const char*>(from);
    while (size > 0) {
        const ssize_t count = write(ends_[1], source, std::min(size, kPiece));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EFAULT) return false;
        if (count <= 0) fail("could not write to a pipe");
        drain(target, static_cast<std::size_t>(count));
        target += count;
        source += count;
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

bool PipeMemory::is_readable(const void* from, std::size_t size) {
    static const auto kPageSize = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    auto at = reinterpret_cast<std::uintptr_t>(from);
    if (size == 0) return true;
    if (size - 1 > UINTPTR_MAX - at) return false;
    const std::uintptr_t last = at + (size - 1);
    std::array<iovec, kPages> pages{};
    std::array<char, kPages> bytes{};
    while (true) {
        std::size_t count = 0;
        for (std::uintptr_t next = at; count < kPages; ++count) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel alone follows it
            pages[count] = {reinterpret_cast<void*>(next), 1};
            if (last - next < kPageSize - next % kPageSize) {  // the last page
                ++count;
                break;
            }
            next += kPageSize - next % kPageSize;
        }
        const ssize_t written = writev(ends_[1], pages.data(), static_cast<int>(count));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EFAULT) return false;
        if (written <= 0) fail("could not write to a pipe");
        drain(bytes.data(), static_cast<std::size_t>(written));
        at =
            reinterpret_cast<std::uintptr_t>(pages[static_cast<std::size_t>(written) - 1].iov_base);
        if (last - at < kPageSize - at % kPageSize) return true;
        at += kPageSize - at % kPageSize;
        check_interrupts();
    }
}

void PipeMemory::check_interrupts() { check_cancel(); }

}  // namespace epe::py
