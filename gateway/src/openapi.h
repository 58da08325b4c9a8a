// The OpenAPI 3.1 document of the API, generated from the table of routes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace epe::gateway {

nlohmann::ordered_json openapi_document(const std::string& server_url);

/// components/schemas.
nlohmann::json openapi_schemas();

}  // namespace epe::gateway
