// Notices the end of a child while the process waits for descriptors.
#pragma once

#include <poll.h>
#include <signal.h>

#include <ctime>

namespace epe::engine {

/// From now on, SIGCHLD is delivered in poll_or_child() only, and ends it.
inline void hold_child_signals() noexcept {
    struct sigaction action {};
    action.sa_handler = [](int) noexcept {};
    sigemptyset(&action.sa_mask);
    sigaction(SIGCHLD, &action, nullptr);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, nullptr);
}

/// poll() with SIGCHLD enabled; `limit` is null for none.
inline int poll_or_child(pollfd* descriptors, nfds_t count, const timespec* limit) noexcept {
    sigset_t none;
    sigemptyset(&none);
    return ppoll(descriptors, count, limit, &none);
}

}  // namespace epe::engine
