#include "engine/sandbox/filter_support.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace epe::engine {

int missing_filters() noexcept {
    const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ? 0 : errno;
}

bool can_listen() noexcept {
    constexpr unsigned kFirstLevel = 5;
    return seccomp_api_get() >= kFirstLevel;
}

}  // namespace epe::engine
