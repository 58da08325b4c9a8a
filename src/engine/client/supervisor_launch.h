// Starts the engine program as a supervisor.
#pragma once

#include <sys/types.h>

#include <string>

#include "engine/common/descriptor.h"

namespace epe::engine {

struct LaunchedSupervisor {
    pid_t pid = 0;       ///< a child of ours, to be waited for
    Descriptor owner{};  ///< our end of its owner's connection: it ends when this closes
};

/// `folder`, see owner_folder(), is made when it is not there, its parent too. `listener` is a
/// socket that listens for backends, or -1. The supervisor gets none of our other descriptors,
/// signal handlers or secrets of the environment, and leads a session of its own. Throws Error
/// 58P01 when the program cannot be run.
LaunchedSupervisor launch_supervisor(const std::string& program, const std::string& folder,
                                     int listener);

/// A socket that listens at `path`, only for this user; what stood there is removed. Throws Error.
Descriptor listen_at(const std::string& path);
/// A connection to it; none when nobody listens there, or too many wait there already.
Descriptor connect_to(const std::string& path);

}  // namespace epe::engine
