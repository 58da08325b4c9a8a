#include "run_call.h"

#include <algorithm>
#include <array>

namespace epe::gateway {
namespace {

/// Default values of the settings, used if the server does not report them (control-arguments.md).
struct Level {
    const char* name;
    const char* setting;
    std::int32_t engines;
};
constexpr std::array<Level, 3> kLevels{{{"LOW", "oml_epe.low_engines", 2},
                                        {"MEDIUM", "oml_epe.medium_engines", 4},
                                        {"HIGH", "oml_epe.high_engines", 8}}};

class CallWriter {
   public:
    explicit CallWriter(std::string name) { call_.function = std::move(name) + "("; }

    void add(const Parameter& value, const char* type = "text") {
        call_.parameters.push_back(value);
        if (call_.parameters.size() > 1) call_.function += ", ";
        call_.function += "$" + std::to_string(call_.parameters.size()) + "::" + type;
    }
    void add(std::int32_t value) { add(std::to_string(value), "bigint"); }

    SqlCall finish() {
        call_.function += ")";
        return std::move(call_);
    }

   private:
    SqlCall call_{};
};

/// Indexed by RunKind.
constexpr std::array<const char*, 5> kFunctions{"pyq_eval", "pyq_table_eval", "pyq_row_eval",
                                                "pyq_group_eval", "pyq_index_eval"};

}  // namespace

SqlCall make_call(const RunRequest& request, const ScriptName& script, const std::string& par_lst,
                  const std::string& schema, const Parameter& output_format) {
    CallWriter call(schema + "." + kFunctions.at(static_cast<std::size_t>(request.kind)));
    if (request.input) call.add(*request.input);
    call.add(par_lst);
    call.add(output_format);
    if (request.kind == RunKind::kRow) call.add(request.rows.value());
    if (request.kind == RunKind::kGroup) {
        call.add(request.group_by);
        call.add(request.order_by);
    }
    if (request.kind == RunKind::kIndex) call.add(request.times.value());
    call.add(script.name);
    call.add(script.owner);
    call.add(request.environment);
    return call.finish();
}

std::string make_par_lst(const RunRequest& request, Lease& lease, ClientWatch& watch) {
    const bool is_cut = request.parallel && request.parallel_flag.value_or(true);
    if (!is_cut) return request.par_lst(std::nullopt);
    const std::string service = request.service.value_or("LOW");
    const auto* level = std::find_if(kLevels.begin(), kLevels.end(),
                                     [&](const Level& each) { return each.name == service; });
    // A server that does not preload the library does not know its settings before the first call.
    const QueryResult setting =
        lease.query("SELECT coalesce(pg_catalog.current_setting($1, true), $2)",
                    {level->setting, std::to_string(level->engines)}, &watch);
    const std::int32_t most = std::stoi(std::string(setting.value(0, 0)));
    return request.par_lst(std::min(*request.parallel, most));
}

}  // namespace epe::gateway
