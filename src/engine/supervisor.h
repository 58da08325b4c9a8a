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
// It also starts and watches the REST gateway, when the server's settings want one.
//
// Without a keeper a backend starts a supervisor of its own, which serves it alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/descriptor.h"

namespace epe::engine {

/// Client to supervisor.
enum class ToSupervisor : std::uint8_t {
    kConfigure = 1,  ///< from the owner only: most engines, idle seconds, preload
    /// id, environment, network, role that it counts for, most engines of that role (0: any), first
    /// of its request; descriptors: engine's socket, status page
    kAcquire,
    kForget,  ///< id: kill the engine, or drop the request
    kList,
    kStack,    ///< pid
    kGateway,  ///< from the owner only: command, as SupervisedGateway::configure() takes it
};

/// Supervisor to client.
enum class FromSupervisor : std::uint8_t {
    kStarted = 1,  ///< id, pid; descriptor: pidfd
    kRefused,      ///< id, text
    kExited,       ///< id, wait status, what the engine wrote of its stack
    kEngines,      ///< see EngineRow
    kStackText,    ///< pid, found, text
};

struct SupervisorConfiguration {
    std::int64_t most_engines = 16;
    std::int64_t idle_seconds = 300;  ///< idle engines are retired after that; 0: never
    std::vector<std::string> preload{};
};

/// One engine, as kList tells it.
struct EngineRow {
    std::int32_t pid = 0;
    std::int32_t backend = 0;
    std::uint32_t role = 0;
    std::uint32_t database = 0;
    std::string environment{};
    std::string state{};
    std::string script{};
    std::int64_t since = 0;
    std::int64_t rows_in = 0;
    std::int64_t rows_out = 0;
    std::int64_t memory = 0;  ///< resident bytes
};

struct SupervisorBirth {
    Descriptor owner{};     ///< who started it: it ends with that
    Descriptor listener{};  ///< where backends connect; none for a backend's own
    std::string folder{};   ///< for temporary folders; absolute
};

[[noreturn]] void supervise(SupervisorBirth birth);

}  // namespace epe::engine
