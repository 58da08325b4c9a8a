// Chooses the engine of a request.
#include "entry/engine_choice.h"

#include <algorithm>

#include "engine/client/engine_pool.h"
#include "engine/client/process_engine.h"
#include "engine/common/environments.h"
#include "pg/backend/background_worker.h"
#include "pg/backend/session.h"
#include "pg/backend/settings.h"
#include "pg/backend/waiter.h"
#include "pg/boundary/process_end.h"
#include "py/engine/forked_interpreter.h"
#include "py/engine/script_engine.h"

namespace epe {

namespace {

using pg::EngineSettings;

constexpr std::int64_t kLongestWait = std::int64_t{1} << 32;  // milliseconds

/// Combines the flag and the service level (compatibility.md, SQL-50 and SQL-51); the number in
/// oml_parallel, an addition to Oracle's arguments, is limited to that of HIGH.
int wanted_engines(const Request& request, const EngineSettings& settings) {
    const bool can_be_parallel = request.function == EvalFunction::kRow ||
                                 request.function == EvalFunction::kGroup ||
                                 request.function == EvalFunction::kIndex;
    const Controls& controls = request.controls;
    if (!can_be_parallel || controls.is_iterator) return 1;
    if (controls.engines > 0)
        return static_cast<int>(std::min<std::int64_t>(controls.engines, settings.high_engines));
    if (!controls.is_parallel) return 1;
    switch (controls.service_level) {
        case ServiceLevel::kMedium:
            return settings.medium_engines;
        case ServiceLevel::kHigh:
            return settings.high_engines;
        default:
            return settings.low_engines;
    }
}

}  // namespace

engine::EngineOptions engine_options(const std::string& environment) {
    const EngineSettings settings = pg::engine_settings();
    engine::EngineOptions options;
    options.program = settings.program;
    options.folder = pg::engine_folder();
    if (pg::has_worker()) options.socket = pg::supervisor_socket();
    options.supervisor = {settings.most_engines, settings.idle_seconds, settings.preload};
    if (!environment.empty())
        options.environment =
            engine::find_environment(settings.environments_folder, environment, server_python());
    options.sandbox.read_paths = settings.read_paths;
    options.sandbox.tcp_ports = settings.tcp_ports;
    options.sandbox.memory_bytes = static_cast<std::uint64_t>(settings.memory_bytes);
    options.sandbox.temp_bytes = static_cast<std::uint64_t>(settings.temp_bytes);
    options.sandbox.niceness = settings.niceness;
    options.requires_sandbox = false;  // of trusted scripts
    options.wait_milliseconds = settings.wait_milliseconds;
    options.role = pg::current_role();
    options.session_role = pg::session_role();
    options.most_engines_of_role = settings.most_engines_of_role;
    options.database = pg::current_database();
    // The supervisor checks this too, unless it has died meanwhile.
    pg::at_process_end([]() noexcept { engine::EnginePool::current().end_engines(); });
    return options;
}

engine::ServerPython server_python() {
    return {py::embedded_version(), py::site_folders(), pg::engine_settings().program};
}

EnginePlan plan_engine(const Request& request, EngineRules rules) {
    const EngineSettings settings = pg::engine_settings();
    const int engines = wanted_engines(request, settings);
    const bool has_default =
        request.environment.empty() || request.environment == engine::kDefaultEnvironment;
    const bool may_stay = rules.is_trusted && !rules.is_job && !rules.is_apart && engines == 1 &&
                          has_default && settings.engine == pg::EngineChoice::kBackend;
    return {may_stay, engines};
}

std::unique_ptr<Engine> choose_engine(const Request& request, EngineRules rules, Host& host,
                                      Waiter& waiter) {
    const EnginePlan plan = plan_engine(request, rules);
    if (plan.is_backend)
        return py::make_script_engine(host, pg::interrupt_flags(), py::EnginePlace::kBackend);
    engine::EngineOptions options = engine_options(request.environment);
    options.most_engines = plan.most_engines;
    if (rules.is_job) options.wait_milliseconds = kLongestWait;  // the job has a time limit
    options.is_trusted = rules.is_trusted;
    options.requires_sandbox =
        !rules.is_trusted && pg::engine_settings().sandbox == pg::SandboxChoice::kRequired;
    return engine::make_process_engine(std::move(options), host, waiter);
}

}  // namespace epe
