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
    return answer("No token, or one that is unknown, has expired or was revoked; or a job of "
                  "another user.",
                  "UnauthorizedException");
}
json invalid(const char* description) {
    return answer(description, "InvalidParameterValueException");
}
json trouble() {
    return answer("The database cannot be reached, or another error of the server.",
                  "ComputeContainerException");
}
json no_job() {
    return answer("There is no such job; or an error of the server.", "ComputeContainerException");
}
json not_found(const char* description) { return answer(description, "AbstractOmlException"); }

/// What every operation with a token can give, beside its own.
json with_common(json responses) {
    responses.emplace("401", unauthorized());
    responses.emplace("500", trouble());
    return responses;
}

/// A result in each of the forms that header Accept may ask for.
json result_answer() {
    json ok = answer("What the script returned.", "EmbedScriptResult");
    ok["content"]["text/csv"] = {{"schema", {{"type", "string"}}}};
    ok["content"]["application/vnd.apache.arrow.stream"] = {
        {"schema", {{"type", "string"}, {"format", "binary"}}}};
    return ok;
}

json unacceptable() {
    return answer("Header Accept allows none of the forms that there are.", "AbstractOmlException");
}

}  // namespace

json token_responses() {
    return {{"200", answer("A token.", "Token")},
            {"400", invalid("The request is no grant.")},
            {"401", answer("The log-in was refused, or the token cannot be refreshed.",
                           "UnauthorizedException")},
            {"429", answer("Too many attempts failed; header Retry-After says when to try again.",
                           "AbstractOmlException")},
            {"500", trouble()}};
}
json revoke_responses() {
    return {{"200", {{"description", "The token is valid no longer, if it ever was."}}},
            {"400", invalid("The request names no token.")}};
}
json health_responses() {
    return {{"200", answer("The gateway runs and reaches the database.", "Health")},
            {"503", answer("It does not reach the database.", "Health")}};
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
         {"400", invalid("A bad request, an unknown script, a script that failed, or a result that "
                         "is too long (errorCode 1024).")},
         {"406", unacceptable()},
         {"413", answer("The body is too long.", "AbstractOmlException")}});
}

json scripts_responses() {
    return with_common({{"200", answer("The scripts.", "EmbedScriptList")}});
}
json script_responses() {
    return with_common({{"200", answer("The script.", "EmbedScript")},
                        {"400", invalid("A bad name.")},
                        {"404", not_found("There is no such script that the user may read.")}});
}
json store_script_responses() {
    return with_common(
        {{"200", answer("A script of that name has been replaced.", "Done")},
         {"201", answer("The script is new.", "Done")},
         {"400", invalid("The script does not compile, exists already and is not to be replaced, "
                         "or the user may not write it.")},
         {"413", answer("The body is too long.", "AbstractOmlException")}});
}
json drop_script_responses() {
    return with_common({{"200", answer("The script is gone.", "Done")},
                        {"400", invalid("The user may not drop it.")},
                        {"404", not_found("There is no such script.")}});
}
json environments_responses() {
    return with_common({{"200", answer("The environments.", "EmbedEnvironmentList")}});
}
json datastores_responses() {
    return with_common({{"200", answer("The datastores.", "DatastoreList")}});
}
json datastore_responses() {
    return with_common({{"200", answer("What is in it.", "DatastoreObjectList")},
                        {"400", invalid("A bad name.")},
                        {"404", not_found("There is no such datastore that the user may read.")}});
}

json job_responses() {
    return with_common({{"202", answer("The job waits or runs.", "EmbedJobPending")},
                        {"302",
                         {{"description", "The job has ended, well or not."},
                          {"headers", {{"Content-Location", header("URL of the result.")}}}}},
                        {"400", invalid("The ID is no UUID.")},
                        {"500", no_job()}});
}
json job_result_responses() {
    return with_common(
        {{"200", result_answer()},
         {"400", invalid("The job failed, was cancelled or ran out of time; or a bad request.")},
         {"404", not_found("The job has not ended yet.")},
         {"406", unacceptable()},
         {"500", no_job()}});
}
json job_events_responses() {
    return with_common({{"200", text_answer("Events \"state\" and \"progress\", with JSON as data, "
                                            "until the job has ended.",
                                            "text/event-stream")},
                        {"400", invalid("The ID is no UUID.")},
                        {"500", no_job()}});
}
json delete_job_responses() {
    return with_common({{"200", answer("The job is stopped and gone.", "Done")},
                        {"400", invalid("The ID is no UUID.")},
                        {"500", no_job()}});
}
json jobs_responses() {
    return with_common({{"200", answer("The user's jobs, the latest first.", "EmbedJobList")}});
}
json preload_responses() {
    return with_common({{"200", answer("The environment is kept loaded.", "Preloaded")},
                        {"400", invalid("There is no such environment.")}});
}
json preloaded_responses() {
    return with_common({{"200", answer("The environments.", "PreloadedList")}});
}

}  // namespace epe::gateway
