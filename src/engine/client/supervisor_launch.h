// Starts the engine program as a supervisor.
#pragma once

#include <sys/types.h>

#include <string>

#include "engine/common/descriptor.h"

namespace epe::engine {

struct LaunchedSupervisor {
    pid_t pid = 0;  ///< a child of this process, to be waited for
    /// this process's end of the owner's connection; closing it ends the supervisor
    Descriptor owner{};
};

/// `folder`, see owner_folder(), is created if it does not exist, its parent too. `listener` is a
/// listening socket for backends, or -1. The supervisor inherits no other descriptors, signal
/// handlers or secrets of the environment, and leads a session of its own. Throws Error 58P01 when
/// the program cannot be executed.
LaunchedSupervisor launch_supervisor(const std::string& program, const std::string& folder,
                                     int listener);

/// A socket that listens at `path`, only for this user; an existing file there is removed. Throws
/// Error.
Descriptor listen_at(const std::string& path);
/// A connection to it; none when no process listens there, or its queue is full.
Descriptor connect_to(const std::string& path);

}  // namespace epe::engine
