// The schemas of the OpenAPI document (with Oracle's names).
#include <algorithm>

#include "openapi.h"
#include "run_request.h"

namespace epe::gateway {
namespace {

using nlohmann::json;

json text(const char* description) { return {{"type", "string"}, {"description", description}}; }
json nullable_text(const char* description) {
    return {{"type", {"string", "null"}}, {"description", description}};
}
json flag(const char* description) { return {{"type", "boolean"}, {"description", description}}; }
json integer(const char* description) {
    return {{"type", "integer"}, {"description", description}};
}
json reference(const char* name) { return {{"$ref", std::string("#/components/schemas/") + name}}; }
json list_of(const char* name) { return {{"type", "array"}, {"items", reference(name)}}; }

/// An object whose members are all required, except those named in `optional`.
json object(const json& properties, const json& optional = json::array()) {
    json required = json::array();
    for (const auto& [name, schema] : properties.items())
        if (std::find(optional.begin(), optional.end(), name) == optional.end())
            required.push_back(name);
    return {{"type", "object"}, {"properties", properties}, {"required", required}};
}

json result_of(const json& schema) { return object({{"result", schema}}); }

json error_schema(const char* description) {
    json schema = object({{"errorCode", integer("1, or 1024 when the output is too long.")},
                          {"errorMessage", text("Error message.")},
                          {"errorDetail", text("Detail, hint and traceback.")},
                          {"sqlState", text("SQLSTATE of an error of the database.")}},
                         {"errorDetail", "sqlState"});
    schema["description"] = description;
    return schema;
}

void add_errors(json& schemas) {
    schemas["InvalidParameterValueException"] =
        error_schema("The request is invalid, or the script failed.");
    schemas["UnauthorizedException"] = error_schema("The token is not valid.");
    schemas["AbstractOmlException"] = error_schema("The requested resource does not exist.");
    schemas["ComputeContainerException"] = error_schema("The server cannot perform the request.");
}

void add_tokens(json& schemas) {
    schemas["TokenRequest"] =
        object({{"grant_type", {{"type", "string"}, {"enum", {"password", "refresh_token"}}}},
                {"username", text("Database role, for grant type password.")},
                {"password", text("Its password.")},
                {"refresh_token", text("The token to refresh; or the bearer token, or \"token\".")},
                {"token", text("Alternative name of refresh_token.")}},
               {"username", "password", "refresh_token", "token"});
    schemas["Token"] = object({{"accessToken", text("For header Authorization.")},
                               {"expiresIn", integer("Seconds.")},
                               {"tokenType", {{"const", "Bearer"}}}});
    schemas["RevokeRequest"] =
        object({{"token", text("The token; or the bearer token.")}}, {"token"});
    schemas["Health"] = {{"type", "object"}};
}

void add_runs(json& schemas) {
    schemas["EmbedScriptCompute"] = run_request_schema(RunKind::kEval);
    schemas["EmbedScriptComputeTab"] = run_request_schema(RunKind::kTable);
    schemas["EmbedScriptComputeRow"] = run_request_schema(RunKind::kRow);
    schemas["EmbedScriptComputeGrp"] = run_request_schema(RunKind::kGroup);
    schemas["EmbedScriptComputeIdx"] = run_request_schema(RunKind::kIndex);
    schemas["EmbedScriptFigure"] =
        object({{"IMAGE", nullable_text("PNG in base64; null when nothing was drawn.")},
                {"DATA", text("The returned value, as JSON text.")},
                {"ID", {{"type", {"integer", "null"}}, {"description", "From 1."}}},
                {"TITLE", text("Title of the figure.")}},
               {"TITLE"});
    const json figures = list_of("EmbedScriptFigure");
    const json value{{"description", "The returned value; a frame is an array of records, "
                                     "and a result by group is an object keyed by group."}};
    const json by_name{{"description", "With graphicsFlag, keyed by chunk, group or index."},
                       {"type", "object"},
                       {"additionalProperties", figures}};
    schemas["EmbedScriptResult"] =
        object({{"result", {{"anyOf", {value, figures, by_name}}}},
                {"comments",
                 text("For a job: the comments given with the call, and the script's output.")}},
               {"comments"});
}

void add_metadata(json& schemas) {
    schemas["EmbedScriptResourceLink"] =
        object({{"rel", text("self or child")}, {"href", text("URL, or template of one.")}});
    schemas["EmbedScriptApiVersion"] =
        object({{"version", text("v1 or v2")},
                {"isLatest", flag("Whether this is the latest version.")},
                {"lifecycle", text("ACTIVE or DEPRECATED@date.")},
                {"links", list_of("EmbedScriptResourceLink")}});
    schemas["EmbedScriptApiMetadata"] = object({{"items", list_of("EmbedScriptApiVersion")}});
}

void add_scripts(json& schemas) {
    schemas["EmbedScript"] =
        object({{"name", text("Name.")},
                {"owner", nullable_text("Owner; PYQSYS for a global script, null "
                                        "when the role has been dropped.")},
                {"script", text("Python source.")},
                {"description", nullable_text("Description.")},
                {"date", text("Time of the last change, UTC.")}});
    schemas["EmbedScriptList"] = result_of(list_of("EmbedScript"));
    schemas["EmbedScriptSource"] =
        object({{"script", text("Python source.")},
                {"global", flag("Whether to store a global script.")},
                {"overwrite", flag("Whether to replace an existing script; default true.")},
                {"description", nullable_text("Description.")}},
               {"global", "overwrite", "description"});
    schemas["Done"] = result_of(text("Description of the action."));
}

void add_stores(json& schemas) {
    const json tags =
        object({{"python", text("Version of Python.")}, {"application", {{"const", "OML4PY"}}}});
    schemas["EmbedEnvironment"] =
        object({{"name", text("Name.")},
                {"size", text("Size of its files.")},
                {"description", text("Description.")},
                {"number_of_installed_packages", integer("Number of packages.")},
                {"tags", tags}});
    schemas["EmbedEnvironmentList"] = result_of(object({{"envs", list_of("EmbedEnvironment")}}));
    schemas["Datastore"] =
        object({{"name", text("Name.")},
                {"owner", nullable_text("Owner; null when the role has been dropped.")},
                {"objects", integer("Number of objects.")},
                {"size", integer("Bytes.")},
                {"date", text("Time of creation or replacement, UTC.")},
                {"description", nullable_text("Description.")},
                {"grantable", flag("Whether read access can be granted to other roles.")}});
    schemas["DatastoreList"] = result_of(list_of("Datastore"));
    schemas["DatastoreObject"] = object({{"name", text("Name.")},
                                         {"class", text("Python class.")},
                                         {"size", integer("Bytes.")},
                                         {"length", integer("Length.")},
                                         {"rows", integer("Rows of a frame, else 1.")},
                                         {"columns", integer("Columns of a frame.")}});
    schemas["DatastoreObjectList"] = result_of(list_of("DatastoreObject"));
    schemas["PreloadRequest"] =
        object({{"envName", text("Environment.")},
                {"overwrite", flag("Has no effect: environments stay loaded.")}},
               {"overwrite"});
    schemas["Preloaded"] =
        object({{"envName", text("Environment.")}, {"result", text("Status of the environment.")}});
    const json preloaded = object({{"envName", text("Environment.")},
                                   {"created", nullable_text("Not known.")},
                                   {"expires", nullable_text("Never.")},
                                   {"duration", nullable_text("Not known.")}});
    schemas["PreloadedList"] =
        object({{"environments", {{"type", "array"}, {"items", preloaded}}}});
}

void add_jobs(json& schemas) {
    const json progress{{"type", "number"}, {"minimum", 0}, {"maximum", 1}};
    schemas["EmbedJobPending"] = object({{"createdDate", text("When it was submitted, UTC.")},
                                         {"status", {{"const", "job is still running"}}},
                                         {"elapsedTime", text("HH:MM:SS")},
                                         {"progress", progress},
                                         {"comment", text("Last output line of the script.")}},
                                        {"progress", "comment"});
    const json states{"RUNNING", "QUEUED", "FINISH", "FAILED", "CANCELLED", "TIMEOUT"};
    schemas["EmbedJob"] = object({{"createdDate", text("When it was submitted, UTC.")},
                                  {"job_id", text("ID.")},
                                  {"status", {{"type", "string"}, {"enum", states}}},
                                  {"elapsedTime", text("HH:MM:SS")}});
    schemas["EmbedJobList"] = result_of(list_of("EmbedJob"));
}

}  // namespace

json openapi_schemas() {
    json schemas;
    add_errors(schemas);
    add_tokens(schemas);
    add_runs(schemas);
    add_metadata(schemas);
    add_scripts(schemas);
    add_stores(schemas);
    add_jobs(schemas);
    return schemas;
}

}  // namespace epe::gateway
