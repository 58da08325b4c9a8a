// Owns a file descriptor.
#pragma once

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace epe::engine {

/// Closes all descriptors from `first` on. Safe after a fork.
inline void close_from(int first) noexcept {
    if (syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, 0) == 0) return;
    rlimit limit{};  // a kernel before 5.9, or one that forbids it
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    for (rlim_t number = static_cast<rlim_t>(first); number < limit.rlim_cur; ++number)
        (void)::close(static_cast<int>(number));
}

class Descriptor {
   public:
    Descriptor() = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { close(); }

    int get() const noexcept { return number_; }
    explicit operator bool() const noexcept { return number_ >= 0; }
    int release() noexcept { return std::exchange(number_, -1); }
    void close() noexcept {
        if (number_ >= 0) ::close(std::exchange(number_, -1));
    }

   private:
    int number_ = -1;
};

}  // namespace epe::engine
