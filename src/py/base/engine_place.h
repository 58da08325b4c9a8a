#pragma once

#include <cstdint>

namespace epe::py {

/// Where an engine runs.
enum class EnginePlace : std::uint8_t {
    kBackend,  ///< in the server's process: trusted scripts only
    kProcess,  ///< in a process of its own
    kSandbox,  ///< in a process that is completely confined: scripts of any role
};

}  // namespace epe::py
