// The bearer token of a request.
#pragma once

#include <string>

#include "api_error.h"
#include "tokens.h"

namespace httplib {
struct Request;
}

namespace epe::gateway {

/// The token of the header "Authorization: Bearer T"; empty when absent. Throws ApiError 401 for
/// any other authorization scheme.
std::string bearer_token(const httplib::Request& request);
/// The user of the request's valid token; throws ApiError 401.
std::string require_user(const httplib::Request& request, const Tokens& tokens);
ApiError unauthorized(const std::string& message);

}  // namespace epe::gateway
