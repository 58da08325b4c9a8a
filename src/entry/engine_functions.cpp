// The SQL functions that show engines. The set-returning ones return JSON, which sql/80_engines.sql
// splits into columns.
#include <nlohmann/json.hpp>
#include <string>

#include "engine/client/engine_pool.h"
#include "engine/client/process_engine.h"
#include "engine/common/environments.h"
#include "entry/engine_choice.h"
#include "entry/last_call.h"
#include "pg/backend/host.h"
#include "pg/backend/session.h"
#include "pg/backend/settings.h"
#include "pg/backend/waiter.h"
#include "pg/boundary/function_call.h"
#include "py/engine/forked_interpreter.h"

namespace {

using Json = nlohmann::ordered_json;
using epe::engine::EnginePool;
using epe::engine::EngineRow;

std::string to_text(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Columns that the role has no privilege to see are null, as in pg_stat_activity.
Json to_json(const EngineRow& row) {
    Json json;
    json["pid"] = row.pid;
    json["backend_pid"] = row.backend;
    json["datname"] = row.database == 0 ? Json() : Json(epe::pg::database_name(row.database));
    json["rolname"] = row.role == 0 ? Json() : Json(epe::pg::role_name(row.role));
    json["environment"] = row.environment.empty() ? "default" : row.environment;
    json["state"] = row.state;
    json["memory_bytes"] = row.memory;
    if (row.role != 0 && !epe::pg::may_see_role(row.role)) return json;
    if (!row.script.empty()) json["script"] = row.script;
    if (row.since != 0) json["since_epoch"] = static_cast<double>(row.since) / 1e6;
    json["rows_in"] = row.rows_in;
    json["rows_out"] = row.rows_out;
    return json;
}

double milliseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

}  // namespace

// ()
EPE_FUNCTION(epe_engines) {
    const auto waiter = epe::pg::make_waiter();
    Json rows = Json::array();
    for (const EngineRow& row : EnginePool::current().list(epe::engine_options({}), *waiter))
        rows.push_back(to_json(row));
    call.return_json(to_text(rows));
}

// (pid integer)
EPE_FUNCTION(epe_engine_stack) {
    const auto pid = call.int64(0);
    if (!pid) {
        call.return_null();
        return;
    }
    const auto waiter = epe::pg::make_waiter();
    const epe::engine::EngineOptions options = epe::engine_options({});
    EnginePool& session = EnginePool::current();
    for (const EngineRow& row : session.list(options, *waiter)) {
        if (row.pid != *pid || row.pid == 0) continue;
        if (!epe::pg::may_see_role(row.role))
            throw epe::Error(epe::sqlstate::kInsufficientPrivilege,
                             "permission denied to see the stack of engine " + std::to_string(*pid),
                             "It works for another role.");
        const auto stack = session.stack_of(row.pid, options, *waiter);
        if (stack)
            call.return_text(*stack);
        else
            call.return_null();
        return;
    }
    throw epe::Error(epe::sqlstate::kUndefinedObject,
                     "there is no Python engine with process ID " + std::to_string(*pid),
                     "pyq_engines lists them.");
}

// ()
EPE_FUNCTION(epe_last_call) {
    const epe::CallStats* const found = epe::last_call();
    if (found == nullptr) {
        call.return_null();
        return;
    }
    const epe::CallStats& stats = *found;
    Json json;
    json["total_ms"] = milliseconds(stats.total);
    json["scan_ms"] = milliseconds(stats.scan);
    json["convert_ms"] = milliseconds(stats.engine.convert);
    json["wait_ms"] = milliseconds(stats.wait);
    json["python_ms"] = milliseconds(stats.engine.python);
    json["emit_ms"] = milliseconds(stats.emit);
    json["rows_in"] = stats.rows_in;
    json["rows_out"] = stats.rows_out;
    json["calls"] = stats.calls;
    json["engines"] = stats.engines;
    call.return_json(to_text(json));
}

// ()
EPE_FUNCTION(epe_sandbox_status) {
    const auto host = epe::pg::make_host();
    const auto waiter = epe::pg::make_waiter();
    const auto report = epe::engine::probe_sandbox(epe::engine_options({}), *host, *waiter);
    Json rows = Json::array();
    for (const epe::engine::Protection& each : report.protections)
        rows.push_back({{"protection", each.name},
                        {"enforced", each.is_enforced},
                        {"needed", each.is_needed},
                        {"detail", each.detail}});
    call.return_json(to_text(rows));
}

// ()
EPE_FUNCTION(epe_list_envs) {
    const auto host = epe::pg::make_host();
    Json rows = Json::array();
    for (const auto& each :
         epe::engine::list_environments(epe::pg::engine_settings().environments_folder,
                                        epe::server_python(), [&] { host->check_interrupts(); }))
        rows.push_back({{"name", each.name},
                        {"size", each.size_bytes},
                        {"description", each.description},
                        {"number_of_installed_packages", each.package_count},
                        {"python_version", each.python_version}});
    call.return_json(to_text(rows));
}
