// The process that starts engines for backends, and knows of every one of them.
//
// Tree: keeper (a background worker) or a backend -> supervisor -> zygotes -> engines. The
// supervisor runs no Python itself. Zygotes fork the engines; when a zygote is killed, a new one
// is started at once, and its engines go on: the supervisor is then their parent (subreaper).
//
// A client (a backend) asks for an engine: Acquire brings the engine's end of a socket pair and a
// status page. When the server's limit is reached, or that of the client's role, requests wait: the
// client with the fewest engines is served first, and idle engines of other sessions are retired
// for it. When a client is gone, its engines are killed.
//
// A supervisor may be killed at any time. What it knew is kept by others: its owner starts the next
// one with the same folder, sessions ask it again for what they wait for, with the time of their
// first request, and tell it of the engines that they have. Engines whose session is gone, and
// whatever else the last one has left, it finds and ends by itself (see leftovers.h).
//
// It also starts and watches the REST gateway, when the server's settings want one.
//
// Without a keeper a backend starts a supervisor of its own, which serves it alone.
#pragma once

#include <string>

#include "engine/common/descriptor.h"
#include "engine/common/supervisor_messages.h"
#include "engine/common/zygote_messages.h"

namespace epe::engine {

struct SupervisorBirth {
    Descriptor owner{};     ///< who started it: it ends with that
    Descriptor listener{};  ///< where backends connect; none for a backend's own
    std::string folder{};   ///< the owner's, for folders of engines; absolute
    /// Runs a zygote in a child of the supervisor. Does not return.
    void (*serve_zygote)(ZygoteBirth birth) = nullptr;
};

[[noreturn]] void supervise(SupervisorBirth birth);

}  // namespace epe::engine
