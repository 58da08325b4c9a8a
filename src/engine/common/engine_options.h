// Settings of a backend for its engines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/common/sandbox_policy.h"
#include "engine/common/supervisor_messages.h"

namespace epe::engine {

struct EngineOptions {
    std::string program{};                 ///< the engine program
    std::string folder{};                  ///< absolute; for files of the engines
    std::string socket{};                  ///< of the server's supervisor; empty: there is none
    SupervisorConfiguration supervisor{};  ///< for a supervisor of this backend's own
    std::string environment{};  ///< folder of the virtual environment; empty: the server's Python
    SandboxPlan sandbox{};      ///< without the temporary folder, which the engine sets
    bool requires_sandbox = true;
    bool is_trusted = false;             ///< it only runs scripts and pickles of trusted roles
    std::int64_t wait_milliseconds = 0;  ///< maximum wait for a free engine
    int most_engines = 1;                ///< for this request
    bool is_first = true;                ///< the engine is mandatory for the request
    std::uint32_t role = 0;              ///< OID of the role that the engine runs for
    std::uint32_t session_role = 0;      ///< OID of the role that it is counted for
    int most_engines_of_role = 0;        ///< limit for all sessions of session_role; 0: no limit
    std::uint32_t database = 0;          ///< OID
};

}  // namespace epe::engine
