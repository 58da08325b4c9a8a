// Limits the epoll watches of engines, which Linux limits only per user.
//
// A watch belongs to an epoll instance, a file and the number of its descriptor, and outlives that
// number while the file is open elsewhere. So a few hundred descriptors can make millions of
// watches, up to the limit of the user (fs.epoll.max_user_watches), and then PostgreSQL itself
// cannot wait any more. Neither a limit of the process nor a rule of the filter bounds them, and
// epoll cannot be refused: polars, for one, uses it for every query.
//
// The filter passes each EPOLL_CTL_ADD of an engine to the guard, a process that the zygote forks
// before Python starts. The guard fetches the epoll instance and the file from the engine
// (pidfd_getfd), adds the watch itself and keeps the instance, so that none is hidden from it;
// instances without watches are dropped. When an engine has reached its limit, the call fails with
// ENOSPC.
//
//   zygote                 guard                             engine
//   Descriptor of a socket ->
//                       <- Answer
//                                                         <- Hello (pid, where a number is)
//                          tries whether it may look
//                          Answer (whether it guards)     ->
//                                                         <- number of the filter's listener
//                          Answer                         ->
//
// The engine does this before it runs a script, and closes the socket.
//
// A guard that does not answer within a second is stopped or dead: the zygote starts another one
// for the next engine; the old one keeps its engines. Engines of a killed guard cannot add watches
// any more (ENOSYS); those of a stopped one wait in epoll_ctl() until it continues. An engine whose
// guard ends while the engine starts runs under the filter without a listener, which is the former
// case: a missing guard never lifts the limit.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "engine/common/descriptor.h"

namespace epe::engine {

/// Name of the guard's process.
inline constexpr const char* kGuardName = "epe_guard";

/// Maximum number of watches per engine.
inline constexpr int kMostWatches = 2048;

/// The zygote's side.
class WatchGuard {
   public:
    /// Forks the guard. If that fails, engines are not guarded.
    void start() noexcept;
    /// An engine's connection to the guard; empty without a guard.
    Descriptor connect() noexcept;
    pid_t pid() const noexcept { return pid_; }
    /// In an engine: closes the zygote's descriptors.
    void leave() noexcept { socket_.close(); }

   private:
    Descriptor socket_{};
    pid_t pid_ = 0;
};

enum class GuardAnswer : std::uint8_t {
    kGuards,
    kCannotGuard,  ///< the kernel does not let it access this process, or there is no guard
    kNone,         ///< it has ended, or is stopped
};

/// In an engine, before the filter is loaded: whether the guard can guard this process.
GuardAnswer ask_guard(int socket, pid_t guard) noexcept;
/// Passes the filter's listener to the guard. False when it is gone, or stopped.
bool give_listener(int socket, Descriptor listener) noexcept;

}  // namespace epe::engine
