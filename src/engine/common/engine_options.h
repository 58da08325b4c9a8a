// What a backend's settings say of engines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/common/sandbox_policy.h"
#include "engine/common/supervisor_messages.h"

namespace epe::engine {

struct EngineOptions {
    std::string program{};                 ///< the engine program
    std::string folder{};                  ///< absolute, for what engines need on disk
    std::string socket{};                  ///< of the server's supervisor; empty: it keeps none
    SupervisorConfiguration supervisor{};  ///< for one of our own
    std::string environment{};  ///< folder of the virtual environment; empty: the server's Python
    SandboxPlan sandbox{};      ///< without the temporary folder, which the engine has
    bool requires_sandbox = true;
    bool is_trusted = false;             ///< it is to run nothing but what trusted roles made
    std::int64_t wait_milliseconds = 0;  ///< for an engine when the server has none left
    int most_engines = 1;                ///< for this request
    bool is_first = true;                ///< the request cannot do without the engine
    std::uint32_t role = 0;              ///< OID: whom the engine works for
    std::uint32_t session_role = 0;      ///< OID: whom it counts for
    int most_engines_of_role = 0;        ///< of all sessions of session_role; 0: no limit
    std::uint32_t database = 0;          ///< OID
};

}  // namespace epe::engine
