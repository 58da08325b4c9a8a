// Names of scripts in paths.
#pragma once

#include "route.h"
#include "run_call.h"

namespace epe::gateway {

/// {scriptName} and {ownerName}, or parameter "owner" of the query string.
ScriptName script_in_path(const Exchange& exchange);

/// An owner as SQL has it: global scripts are the API's PYQSYS and SQL's pyqsys.
std::string owner_in_sql(const std::string& owner);
std::string owner_in_api(const std::string& owner);

}  // namespace epe::gateway
