// The token that a request shows.
#pragma once

#include <string>

#include "api_error.h"
#include "tokens.h"

namespace httplib {
struct Request;
}

namespace epe::gateway {

/// Of the header "Authorization: Bearer T"; empty when there is none. Throws ApiError 401 for
/// another kind of authorization.
std::string bearer_token(const httplib::Request& request);
/// The user whose valid token the request shows; throws ApiError 401.
std::string require_user(const httplib::Request& request, const Tokens& tokens);
ApiError unauthorized(const std::string& message);

}  // namespace epe::gateway
