// A process with Python and its packages loaded, from which engines are forked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/common/descriptor.h"

namespace epe::engine {

/// What makes a zygote: engines that differ in this come from different ones.
struct ZygoteKind {
    std::string environment{};  ///< folder of a virtual environment; empty: the server's Python
    bool has_network = false;   ///< its engines may be allowed outgoing connections

    bool operator==(const ZygoteKind&) const = default;
};

struct ZygoteBirth {
    Descriptor socket{};  ///< to the supervisor
    ZygoteKind kind{};
    std::vector<std::string> preload{};
    int supervisor = 0;  ///< process ID
};

/// Serves the supervisor until that is gone. Single-threaded, so that it may fork.
[[noreturn]] void serve_supervisor(ZygoteBirth birth);

/// Supervisor to zygote.
enum class ToZygote : std::uint8_t {
    kFork = 1,  ///< id of the engine; descriptors: its socket, its lifeline
};

/// Zygote to supervisor.
enum class FromZygote : std::uint8_t {
    kReady = 1,
    kFailed,  ///< text: Python did not start; the zygote ends
    kForked,  ///< id, pid; descriptors: pidfd, stack pipe, a pipe for its folder: then it begins
    kNoFork,  ///< id, text
    kExited,  ///< pid, wait status
};

}  // namespace epe::engine
