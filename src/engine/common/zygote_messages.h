// The messages between a supervisor and its zygotes, which fork the engines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/common/descriptor.h"
#include "engine/common/wire.h"

namespace epe::engine {

/// Properties of a zygote: engines that differ in them need different zygotes.
struct ZygoteKind {
    std::string environment{};  ///< folder of a virtual environment; empty: the server's Python
    bool has_network = false;   ///< its engines may get outgoing connections

    bool operator==(const ZygoteKind&) const = default;
};

/// What a zygote inherits from its supervisor.
struct ZygoteBirth {
    Descriptor socket{};  ///< to the supervisor
    ZygoteKind kind{};
    std::vector<std::string> preload{};
    int supervisor = 0;  ///< process ID
};

/// Supervisor to zygote.
enum class ToZygote : std::uint8_t {
    kFork = 1,  ///< number of the engine; descriptors: its socket, its lifeline
};

/// Zygote to supervisor.
enum class FromZygote : std::uint8_t {
    kReady = 1,
    kFailed,  ///< text: Python did not start; the zygote ends
    kForked,  ///< ForkedEngine; descriptors: pidfd, stack pipe, a pipe for its folder: then it
              ///< begins
    kNoFork,  ///< FailedFork
    kExited,  ///< ExitedChild
};

struct ForkedEngine {
    std::uint64_t number = 0;  ///< the supervisor's number of the engine
    std::int32_t pid = 0;
};

struct FailedFork {
    std::uint64_t number = 0;
    std::string why{};
};

struct ExitedChild {
    std::int32_t pid = 0;
    std::int32_t status = 0;  ///< of wait()
};

inline void write(WireWriter& to, const ForkedEngine& engine) {
    to.number(engine.number);
    to.number(engine.pid);
}

inline ForkedEngine read_forked_engine(WireReader& from) {
    ForkedEngine engine;
    engine.number = from.number<std::uint64_t>();
    engine.pid = from.number<std::int32_t>();
    return engine;
}

inline void write(WireWriter& to, const FailedFork& failure) {
    to.number(failure.number);
    to.text(failure.why);
}

inline FailedFork read_failed_fork(WireReader& from) {
    FailedFork failure;
    failure.number = from.number<std::uint64_t>();
    failure.why = from.text();
    return failure;
}

inline void write(WireWriter& to, const ExitedChild& child) {
    to.number(child.pid);
    to.number(child.status);
}

inline ExitedChild read_exited_child(WireReader& from) {
    ExitedChild child;
    child.pid = from.number<std::int32_t>();
    child.status = from.number<std::int32_t>();
    return child;
}

}  // namespace epe::engine
