#include "api_responses.h"

#include <string>

namespace epe::gateway {
namespace {

using nlohmann::json;

json schema_reference(const char* name) {
    return {{"$ref", std::string("#/components/schemas/") + name}};
}

json answer(const char* description, const char* schema) {
    return {{"description", description},
            {"content", {{"application/json", {{"schema", schema_reference(schema)}}}}}};
}

json text_answer(const char* description, const char* media_type) {
    return {{"description", description},
            {"content", {{media_type, {{"schema", {{"type", "string"}}}}}}}};
}

json header(const char* description) {
    return {{"description", description}, {"schema", {{"type", "string"}}}};
}

json unauthorized() {
    return answer("The token is missing, unknown, expired or revoked, or the job belongs to "
                  "another user.",
                  "UnauthorizedException");
}
json invalid(const char* description) {
    return answer(description, "InvalidParameterValueException");
}
json trouble() {
    return answer("The database cannot be reached, or another server error occurred.",
                  "ComputeContainerException");
}
json no_job() {
    return answer("The job does not exist, or a server error occurred.",
                  "ComputeContainerException");
}
json not_found(const char* description) { return answer(description, "AbstractOmlException"); }

/// The responses common to all operations that require a token.
json with_common(json responses) {
    responses.emplace("401", unauthorized());
    responses.emplace("500", trouble());
    return responses;
}

/// A result in each of the formats that header Accept can request.
json result_answer() {
    json ok = answer("The value returned by the script.", "EmbedScriptResult");
    ok["content"]["text/csv"] = {{"schema", {{"type", "string"}}}};
    ok["content"]["application/vnd.apache.arrow.stream"] = {
        {"schema", {{"type", "string"}, {"format", "binary"}}}};
    return ok;
}

json unacceptable() {
    return answer("Header Accept allows none of the available media types.",
                  "AbstractOmlException");
}

}  // namespace

json token_responses() {
    return {{"200", answer("A token.", "Token")},
            {"400", invalid("The request is not a valid grant.")},
            {"401", answer("The login was rejected, or the token cannot be refreshed.",
                           "UnauthorizedException")},
            {"429", answer("Too many failed attempts; header Retry-After gives the delay.",
                           "AbstractOmlException")},
            {"500", trouble()}};
}
json revoke_responses() {
    return {{"200", {{"description", "The token is not valid (any more)."}}},
            {"400", invalid("The request contains no token.")}};
}
json health_responses() {
    return {{"200", answer("The gateway is running and the database is reachable.", "Health")},
            {"503", answer("The database is not reachable.", "Health")}};
}
json text_responses() { return {{"200", text_answer("Prometheus text format.", "text/plain")}}; }
json document_responses() {
    return {{"200",
             {{"description", "This document."},
              {"content", {{"application/json", {{"schema", {{"type", "object"}}}}}}}}}};
}
json page_responses() { return {{"200", text_answer("The page.", "text/html")}}; }
json page_script_responses() { return {{"200", text_answer("A script.", "text/javascript")}}; }
json page_style_responses() { return {{"200", text_answer("A style sheet.", "text/css")}}; }

json versions_responses() {
    return with_common({{"200", answer("All versions.", "EmbedScriptApiMetadata")}});
}
json version_responses() {
    return with_common({{"200", answer("The version.", "EmbedScriptApiVersion")}});
}

json run_responses() {
    return with_common(
        {{"200", result_answer()},
         {"201",
          {{"description", "asyncFlag: the job is submitted."},
           {"headers", {{"Location", header("URL of the job.")}}}}},
         {"400", invalid("The request is invalid, the script is unknown or failed, or the result "
                         "is too long (errorCode 1024).")},
         {"406", unacceptable()},
         {"413", answer("The body is too long.", "AbstractOmlException")}});
}

json scripts_responses() {
    return with_common({{"200", answer("The scripts.", "EmbedScriptList")}});
}
json script_responses() {
    return with_common(
        {{"200", answer("The script.", "EmbedScript")},
         {"400", invalid("The name is invalid.")},
         {"404", not_found("The script does not exist, or the user has no access to it.")}});
}
json store_script_responses() {
    return with_common(
        {{"200", answer("The script has been replaced.", "Done")},
         {"201", answer("The script has been created.", "Done")},
         {"400", invalid("The script does not compile, already exists and overwrite is false, "
                         "or the user may not write it.")},
         {"413", answer("The body is too long.", "AbstractOmlException")}});
}
json drop_script_responses() {
    return with_common({{"200", answer("The script has been dropped.", "Done")},
                        {"400", invalid("The user may not drop it.")},
                        {"404", not_found("The script does not exist.")}});
}
json environments_responses() {
    return with_common({{"200", answer("The environments.", "EmbedEnvironmentList")}});
}
json datastores_responses() {
    return with_common({{"200", answer("The datastores.", "DatastoreList")}});
}
json datastore_responses() {
    return with_common(
        {{"200", answer("The objects of the datastore.", "DatastoreObjectList")},
         {"400", invalid("The name is invalid.")},
         {"404", not_found("The datastore does not exist, or the user has no access to it.")}});
}

json job_responses() {
    return with_common({{"202", answer("The job is queued or running.", "EmbedJobPending")},
                        {"302",
                         {{"description", "The job has ended, successfully or not."},
                          {"headers", {{"Content-Location", header("URL of the result.")}}}}},
                        {"400", invalid("The ID is not a UUID.")},
                        {"500", no_job()}});
}
json job_result_responses() {
    return with_common(
        {{"200", result_answer()},
         {"400", invalid("The job failed, was cancelled or timed out, or the request is invalid.")},
         {"404", not_found("The job has not ended yet.")},
         {"406", unacceptable()},
         {"500", no_job()}});
}
json job_events_responses() {
    return with_common({{"200", text_answer("Events \"state\" and \"progress\", with JSON as data, "
                                            "until the job has ended.",
                                            "text/event-stream")},
                        {"400", invalid("The ID is not a UUID.")},
                        {"500", no_job()}});
}
json delete_job_responses() {
    return with_common({{"200", answer("The job has been stopped and deleted.", "Done")},
                        {"400", invalid("The ID is not a UUID.")},
                        {"500", no_job()}});
}
json jobs_responses() {
    return with_common({{"200", answer("The user's jobs, most recent first.", "EmbedJobList")}});
}
json preload_responses() {
    return with_common({{"200", answer("The environment is kept loaded.", "Preloaded")},
                        {"400", invalid("The environment does not exist.")}});
}
json preloaded_responses() {
    return with_common({{"200", answer("The environments.", "PreloadedList")}});
}

}  // namespace epe::gateway
