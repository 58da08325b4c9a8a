#include "engine/client/engine_key.h"

#include "engine/common/environments.h"

namespace epe::engine {

EngineKey engine_key(const EngineOptions& options, const Script& script) {
    return {.role = options.role,
            .is_trusted = options.is_trusted,
            .owner_role = script.owner_role,
            .owner = script.owner,
            .engine_group = script.engine_group,
            .environment = options.environment,
            .environment_stamp = environment_stamp(options.environment),
            .sandbox = options.sandbox,
            .requires_sandbox = options.requires_sandbox};
}

}  // namespace epe::engine
