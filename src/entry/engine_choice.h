// Chooses the engine of a request: the backend's own or processes, and their limits.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"
#include "engine/common/engine_options.h"
#include "engine/common/environments.h"

namespace epe {

/// The settings of the session, for the current role. `environment` is a name; "" is the server's
/// Python. Throws Error 42704 for an unknown environment.
engine::EngineOptions engine_options(const std::string& environment);

/// The Python of the backend.
engine::ServerPython server_python();

struct EngineRules {
    bool is_trusted = false;  ///< the script and its arguments
    bool is_job = false;      ///< never in this process; waits for a free engine
    bool is_apart = false;    ///< never in this process
};

/// What choose_engine() would choose.
struct EnginePlan {
    bool is_backend = false;
    int most_engines = 1;
};
EnginePlan plan_engine(const Request& request, EngineRules rules);

/// The engine for a script. Trusted ones run in the backend, unless the request asks for several
/// engines or another environment, or the setting oml_epe.engine is 'process', or it is a job;
/// others always run in processes (trust.md, "The rule"). `host` and `waiter` must outlive it.
std::unique_ptr<Engine> choose_engine(const Request& request, EngineRules rules, Host& host,
                                      Waiter& waiter);

}  // namespace epe
