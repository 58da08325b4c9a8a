// Translates a run request to SQL.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "database.h"
#include "run_request.h"
#include "session.h"

namespace epe::gateway {

/// Name and owner of the script.
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

/// PAR_LST, with `parallel` limited to the maximum of the session's server settings.
std::string make_par_lst(const RunRequest& request, Lease& lease, ClientWatch& watch);

}  // namespace epe::gateway
