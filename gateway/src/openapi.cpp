#include "openapi.h"

#include <algorithm>
#include <cctype>

#include "answer.h"
#include "handlers.h"
#include "route.h"

#ifndef EPE_VERSION
#define EPE_VERSION "0"
#endif

namespace epe::gateway {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

const char* parameter_text(const std::string& name) {
    if (name == "scriptName") return "Name of a script.";
    if (name == "ownerName") return "Owner of the script; PYQSYS for a global one.";
    if (name == "jobId") return "ID of a job, a UUID.";
    if (name == "envName") return "Name of an environment.";
    return "Name of a datastore.";
}

json text_parameter(const std::string& name, const char* place, const char* description) {
    return {{"name", name},
            {"in", place},
            {"required", std::string_view(place) == "path"},
            {"description", description},
            {"schema", {{"type", "string"}}}};
}

/// The parameter names in braces.
json path_parameters(const std::string& path) {
    json parameters = json::array();
    std::size_t end = 0;
    for (std::size_t begin = path.find('{'); begin != std::string::npos;
         begin = path.find('{', end)) {
        end = path.find('}', begin);
        const std::string name = path.substr(begin + 1, end - begin - 1);
        parameters.push_back(text_parameter(name, "path", parameter_text(name)));
    }
    return parameters;
}

void add_query_parameters(const Route& route, json& parameters) {
    const std::string_view path = route.path;
    const std::string_view method = route.method;
    if (path.ends_with("/scripts/{scriptName}"))
        parameters.push_back(
            text_parameter("owner", "query", "Owner; PYQSYS for a global script."));
    if (path.ends_with("/scripts/{scriptName}") && method == "DELETE")
        parameters.push_back(text_parameter("global", "query", "true: the global script."));
    if (path.ends_with("/datastores/{datastoreName}"))
        parameters.push_back(text_parameter("owner", "query", "Owner; the user by default."));
    if (path.ends_with("/jobs/{jobId}/result"))
        parameters.push_back(text_parameter(
            "outputFormat", "query",
            "Columns of a typed result, as in a run request; for text/csv and Arrow."));
}

json request_body(const Route& route) {
    const json reference{{"$ref", std::string("#/components/schemas/") + route.request_schema}};
    json body{{"required", true}, {"content", {{"application/json", {{"schema", reference}}}}}};
    if (std::string_view(route.request_schema) == "EmbedScriptSource")
        body["content"]["text/x-python"] = {{"schema", {{"type", "string"}}}};
    return body;
}

ordered_json operation_of(const Route& route) {
    ordered_json operation;
    operation["operationId"] = route.operation;
    operation["tags"] = {route.tag};
    operation["summary"] = route.summary;
    json parameters = path_parameters(route.path);
    add_query_parameters(route, parameters);
    if (!parameters.empty()) operation["parameters"] = parameters;
    if (route.request_schema != nullptr) operation["requestBody"] = request_body(route);
    operation["responses"] = route.responses();
    if (route.access == Access::kPublic) operation["security"] = json::array();
    return operation;
}

}  // namespace

ordered_json openapi_document(const std::string& server_url) {
    ordered_json document;
    document["openapi"] = "3.1.0";
    document["info"] = {{"title", "Embedded Python Execution for PostgreSQL"},
                        {"version", EPE_VERSION},
                        {"description", "Runs Python scripts of the database over its tables."}};
    document["servers"] = {{{"url", server_url}}};
    document["security"] = {{{"bearer", json::array()}}};
    document["paths"] = ordered_json::object();
    for (const Route& route : routes()) {
        std::string method = route.method;
        std::transform(method.begin(), method.end(), method.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        document["paths"][route.path][method] = operation_of(route);
    }
    document["components"]["schemas"] = openapi_schemas();
    document["components"]["securitySchemes"]["bearer"] = {{"type", "http"}, {"scheme", "bearer"}};
    return document;
}

void show_openapi(Exchange& exchange) {
    answer_json(exchange, 200, openapi_document(base_url(exchange)));
}

}  // namespace epe::gateway
