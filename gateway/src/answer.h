// What handlers have in common: reading a request's parts, writing an answer.
#pragma once

#include <optional>
#include <string>

#include "json_text.h"
#include "route.h"
#include "run_request.h"

namespace epe::gateway {

constexpr const char* kJsonType = "application/json";

void answer_json(Exchange& exchange, int status, const Json& body);

/// A value of the path. Throws ApiError 400 for a zero byte, which SQL cannot have.
std::string path_text(const Exchange& exchange, const char* name);
/// A parameter of the query string; nullopt when it is not there. Throws the same.
std::optional<std::string> query_text(const Exchange& exchange, const char* name);

/// "https://host/oml/api/py-scripts/v2": what stands before a resource's path in links. The host is
/// that of --public-url, or the one that the client used when it looks like one.
std::string base_url(const Exchange& exchange);
std::string version_url(const Exchange& exchange, ApiVersion version);
const char* version_name(ApiVersion version);

/// The options of the running gateway.
const Options& options_of(const Exchange& exchange);

}  // namespace epe::gateway
