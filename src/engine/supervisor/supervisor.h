// The process that starts engines for backends, and manages all of them.
//
// Tree: engine launcher (a background worker) or a backend -> supervisor -> zygotes -> engines. The
// supervisor runs no Python itself. Zygotes fork the engines; when a zygote is killed, a new one is
// started at once, and its engines continue: the supervisor is then their parent (subreaper).
//
// A client (a backend) asks for an engine: Acquire carries the engine's end of a socket pair and a
// status page. At the limit of the server or of the client's role, requests wait: the client with
// the fewest engines is served first, and idle engines of other sessions are retired for it. When a
// client is gone, its engines are killed.
//
// A supervisor may be killed at any time. Other processes keep its state: its owner starts the next
// one with the same folder, sessions repeat their unanswered requests, with the time of the first
// one, and report their engines. It finds and ends engines whose session is gone, and other
// processes of its predecessor, by itself (see leftovers.h).
//
// It also starts and watches the REST gateway, when the server's settings ask for one.
//
// Without an engine launcher, a backend starts a supervisor of its own, which serves it alone.
#pragma once

#include <string>

#include "engine/common/descriptor.h"
#include "engine/common/supervisor_messages.h"
#include "engine/common/zygote_messages.h"

namespace epe::engine {

struct SupervisorBirth {
    /// connection to the process that started it; the supervisor ends with it
    Descriptor owner{};
    Descriptor listener{};  ///< for connections of backends; none for a backend's own
    std::string folder{};   ///< the owner's; contains the folders of engines; absolute
    /// Runs a zygote in a child of the supervisor. Does not return.
    void (*serve_zygote)(ZygoteBirth birth) = nullptr;
};

[[noreturn]] void supervise(SupervisorBirth birth);

}  // namespace epe::engine
