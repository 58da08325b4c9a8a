// Maps errors of PostgreSQL to HTTP status codes.
#pragma once

#include <string>

#include "api_error.h"

namespace epe::gateway {

struct DatabaseError;

/// 401 for a rejected login (28xxx), 500 for an error of the server or the connection, and 400 for
/// all others: a failed script, an invalid argument, a missing privilege.
int status_of(const std::string& sqlstate);

/// The whole response; errorDetail contains detail, hint and context.
ApiError to_api_error(const DatabaseError& error);

}  // namespace epe::gateway
