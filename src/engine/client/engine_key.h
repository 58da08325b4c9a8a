// Decides which requests an engine of the pool may serve.
#pragma once

#include <cstdint>
#include <string>

#include "core/pipeline/ports.h"
#include "engine/common/engine_options.h"

namespace epe::engine {

/// What an engine was started for. Engines with equal keys may serve each other's requests.
struct EngineKey {
    std::uint32_t role = 0;  ///< OID of the role that it runs for
    bool is_trusted = false;
    // Of its scripts:
    std::uint32_t owner_role = 0;
    std::string owner{};
    std::string engine_group{};
    // Of the process:
    std::string environment{};        ///< folder
    std::string environment_stamp{};  ///< version of the folder's contents
    SandboxPlan sandbox{};
    bool requires_sandbox = true;

    bool operator==(const EngineKey&) const = default;
};

EngineKey engine_key(const EngineOptions& options, const Script& script);

}  // namespace epe::engine
