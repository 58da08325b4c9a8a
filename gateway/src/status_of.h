// Which status an error of PostgreSQL becomes.
#pragma once

#include <string>

#include "api_error.h"

namespace epe::gateway {

struct DatabaseError;

/// 401 for what the log-in refuses (28xxx), 500 for trouble of the server or the connection, 400
/// for the rest: a script that failed, an argument that cannot be, a right that is missing.
int status_of(const std::string& sqlstate);

/// The whole answer; errorDetail gets detail, hint and context.
ApiError to_api_error(const DatabaseError& error);

}  // namespace epe::gateway
