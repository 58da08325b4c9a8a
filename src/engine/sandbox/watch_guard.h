// Counts what engines watch by epoll, which Linux limits for an account only.
//
// A watch belongs to an epoll instance, a file and the number of its descriptor, and outlives that
// number while the file is open elsewhere. So a few hundred descriptors can make millions of
// watches, as many as the account may have (fs.epoll.max_user_watches), and then PostgreSQL itself
// cannot wait any more. Neither a limit of the process nor a rule of the filter bounds them, and
// epoll cannot be refused: polars, for one, takes it for every query.
//
// The filter hands each EPOLL_CTL_ADD of an engine to the guard, a process that the zygote forks
// before Python starts. It fetches the epoll instance and the file from the engine (pidfd_getfd),
// makes the watch itself and keeps the instance, so that none is hidden from it: instances without
// watches are given up. When an engine has as many watches as it may, the call fails with ENOSPC.
//
//   zygote                 guard                             engine
//   Descriptor of a socket ->
//                                                         <- Hello (pid, where a number is)
//                          tries whether it may look
//                          Answer (whether it guards)     ->
//                                                         <- number of the filter's listener
//                          Answer                         ->
//
// The engine does this before it runs a script, and closes the socket. When the guard is killed,
// the next engine gets another one; those that it guarded cannot add watches any more (ENOSYS).
#pragma once

#include <sys/types.h>

#include "engine/common/descriptor.h"

namespace epe::engine {

/// Name of the guard's process.
inline constexpr const char* kGuardName = "epe_guard";

/// Most watches of an engine at a time.
inline constexpr int kMostWatches = 2048;

/// The zygote's side.
class WatchGuard {
   public:
    /// Forks the guard. Without one, when that fails, engines are not guarded.
    void start() noexcept;
    /// An engine's connection to the guard; empty without a guard.
    Descriptor connect() noexcept;
    pid_t pid() const noexcept { return pid_; }
    /// In an engine: closes what is the zygote's.
    void leave() noexcept { socket_.close(); }

   private:
    Descriptor socket_{};
    pid_t pid_ = 0;
};

/// In an engine, before the filter is loaded: whether the guard can guard this process.
bool ask_guard(int socket, pid_t guard) noexcept;
/// Gives the guard the filter's listener. False when it is gone.
bool give_listener(int socket, Descriptor listener) noexcept;

}  // namespace epe::engine
