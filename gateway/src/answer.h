// Helpers shared by handlers: reading parts of a request, writing a response.
#pragma once

#include <optional>
#include <string>

#include "json_text.h"
#include "route.h"
#include "run_request.h"

namespace epe::gateway {

constexpr const char* kJsonType = "application/json";

void answer_json(Exchange& exchange, int status, const Json& body);

/// A value from the path. Throws ApiError 400 for a zero byte, which SQL text cannot contain.
std::string path_text(const Exchange& exchange, const char* name);
/// A parameter of the query string; nullopt if absent. Throws ApiError 400 for a zero byte.
std::optional<std::string> query_text(const Exchange& exchange, const char* name);

/// "https://host/oml/api/py-scripts/v2": the prefix of resource paths in links. The host is taken
/// from --public-url, or else from the request's Host header if it is well-formed.
std::string base_url(const Exchange& exchange);
std::string version_url(const Exchange& exchange, ApiVersion version);
const char* version_name(ApiVersion version);

/// The options of the running gateway.
const Options& options_of(const Exchange& exchange);

}  // namespace epe::gateway
