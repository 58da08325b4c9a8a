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

#include <cstdint>
#include <string>
#include <vector>

#include "engine/descriptor.h"

namespace epe::engine {

/// Client to supervisor.
enum class ToSupervisor : std::uint8_t {
    kConfigure = 1,  ///< from the owner only: most engines, idle seconds, preload
    kAcquire,  ///< EngineRequest; descriptors: engine's socket, status page, engine's lifeline
    kForget,   ///< id: kill the engine, or drop the request
    kList,
    kStack,    ///< pid
    kGateway,  ///< from the owner only: command, as SupervisedGateway::configure() takes it
    kAdopt,    ///< EngineRequest, pid; descriptors: status page, pidfd
};

/// Supervisor to client.
enum class FromSupervisor : std::uint8_t {
    kStarted = 1,  ///< id, pid; descriptor: pidfd
    kRefused,      ///< id, message, detail, hint
    kExited,       ///< id, wait status, what the engine wrote of its stack
    kEngines,      ///< see EngineRow
    kStackText,    ///< pid, found, text
    kHello,        ///< first: the supervisor serves this client
    kUnavailable,  ///< text: why there is no supervisor; the keeper says so in its place
};

/// What a client wants, or has got from an earlier supervisor.
struct EngineRequest {
    std::uint64_t id = 0;       ///< the client's name for it
    std::string environment{};  ///< as in EngineOptions
    bool has_network = false;
    std::int64_t asked = 0;         ///< when it was asked for first, by now_nanoseconds()
    std::uint32_t role = 0;         ///< OID of the role that it counts for
    std::int64_t most_of_role = 0;  ///< engines of that role; 0: no limit
    bool is_first = true;           ///< the call cannot do without it
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
    std::string folder{};   ///< the owner's, for folders of engines; absolute
};

[[noreturn]] void supervise(SupervisorBirth birth);

}  // namespace epe::engine
