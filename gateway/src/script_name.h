// Script names in paths.
#pragma once

#include "route.h"
#include "run_call.h"

namespace epe::gateway {

/// {scriptName} and {ownerName}, or parameter "owner" of the query string.
ScriptName script_in_path(const Exchange& exchange);

/// The owner as named in SQL: the API's PYQSYS is SQL's pyqsys.
std::string owner_in_sql(const std::string& owner);
std::string owner_in_api(const std::string& owner);

}  // namespace epe::gateway
