#pragma once

#include <cstdint>

namespace epe::py {

/// Where an engine runs, and so which scripts may run in it.
enum class EnginePlace : std::uint8_t {
    kBackend,  ///< in the server's process: trusted scripts only
    kProcess,  ///< in a process of its own
    kSandbox,  ///< in a completely confined process: scripts of any role
};

}  // namespace epe::py
