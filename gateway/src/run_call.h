// A run request as SQL.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "database.h"
#include "run_request.h"
#include "session.h"

namespace epe::gateway {

/// Whose script runs.
struct ScriptName {
    std::string name;
    std::optional<std::string> owner{};
};

/// "schema.pyq_row_eval($1, ...)" and its parameters.
struct SqlCall {
    std::string function;
    std::vector<Parameter> parameters;
};

/// `output_format` is OUT_FMT.
SqlCall make_call(const RunRequest& request, const ScriptName& script, const std::string& par_lst,
                  const std::string& schema, const Parameter& output_format);

/// PAR_LST, with `parallel` cut to what the settings of the session's server allow.
std::string make_par_lst(const RunRequest& request, Lease& lease, ClientWatch& watch);

}  // namespace epe::gateway
