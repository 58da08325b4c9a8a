// The table of routes.
#include <deque>
#include <vector>

#include "api_responses.h"
#include "auth_handlers.h"
#include "handlers.h"
#include "health_handlers.h"

namespace epe::gateway {
namespace {

constexpr ApiVersion kV1 = ApiVersion::kV1;
constexpr ApiVersion kV2 = ApiVersion::kV2;

/// A route below /oml/api/py-scripts/v1 and v2.
struct VersionedRoute {
    const char* method;
    const char* path;
    Handler v1;  // null: not in v1
    Handler v2;
    const char* operation;
    const char* tag;
    const char* summary;
    const char* request_schema;
    nlohmann::json (*responses)();
};

// The five run endpoints, with and without owner.
#define EPE_RUN(path, kind, operation, summary, schema)                                       \
    {"POST", path "/{scriptName}", run<kind, kV1>, run<kind, kV2>, operation, "run", summary, \
     schema, run_responses},                                                                  \
    {                                                                                         \
        "POST", path "/{scriptName}/{ownerName}", run<kind, kV1>, run<kind, kV2>,             \
            operation "OfOwner", "run", summary ", of the owner named", schema, run_responses \
    }

constexpr VersionedRoute kVersioned[] = {
    {"GET", "", show_version<kV1>, show_version<kV2>, "showVersion", "metadata",
     "This version and its resources", nullptr, version_responses},
    EPE_RUN("/do-eval", RunKind::kEval, "doEval", "Run a script", "EmbedScriptCompute"),
    EPE_RUN("/table-apply", RunKind::kTable, "tableApply", "Run a script on a table",
            "EmbedScriptComputeTab"),
    EPE_RUN("/row-apply", RunKind::kRow, "rowApply", "Run a script on chunks of rows",
            "EmbedScriptComputeRow"),
    EPE_RUN("/group-apply", RunKind::kGroup, "groupApply", "Run a script on groups of rows",
            "EmbedScriptComputeGrp"),
    EPE_RUN("/index-apply", RunKind::kIndex, "indexApply", "Run a script several times",
            "EmbedScriptComputeIdx"),
    {"GET", "/scripts", list_scripts, list_scripts, "listScripts", "scripts",
     "Scripts that the user may run", nullptr, scripts_responses},
    {"GET", "/scripts/{scriptName}", show_script, show_script, "showScript", "scripts",
     "One script", nullptr, script_responses},
    {"PUT", "/scripts/{scriptName}", store_script, store_script, "storeScript", "scripts",
     "Create or replace a script", "EmbedScriptSource", store_script_responses},
    {"DELETE", "/scripts/{scriptName}", drop_script, drop_script, "dropScript", "scripts",
     "Drop a script", nullptr, drop_script_responses},
    {"GET", "/envs", list_environments, list_environments, "listEnvironments", "environments",
     "Python environments", nullptr, environments_responses},
    {"GET", "/datastores", list_datastores, list_datastores, "listDatastores", "datastores",
     "Datastores that the user may read", nullptr, datastores_responses},
    {"GET", "/datastores/{datastoreName}", show_datastore, show_datastore, "showDatastore",
     "datastores", "Objects of a datastore", nullptr, datastore_responses},
    {"GET", "/jobs", nullptr, list_jobs, "listJobs", "jobs", "One's jobs", nullptr, jobs_responses},
    {"GET", "/jobs/{jobId}", show_job<kV1>, show_job<kV2>, "showJob", "jobs", "State of a job",
     nullptr, job_responses},
    {"GET", "/jobs/{jobId}/result", show_job_result, show_job_result, "showJobResult", "jobs",
     "Result of a job", nullptr, job_result_responses},
    {"GET", "/jobs/{jobId}/events", show_job_events, show_job_events, "showJobEvents", "jobs",
     "Events of a job, as server-sent events", nullptr, job_events_responses},
    {"DELETE", "/jobs/{jobId}", delete_job, delete_job, "deleteJob", "jobs",
     "Stop and delete a job", nullptr, delete_job_responses},
    {"POST", "/preload/conda", nullptr, preload_environment, "preloadEnvironment", "environments",
     "Preload an environment", "PreloadRequest", preload_responses},
    {"GET", "/preload/conda", nullptr, list_preloaded, "listPreloaded", "environments",
     "Preloaded environments", nullptr, preloaded_responses},
    {"DELETE", "/preload/conda/{envName}", nullptr, drop_preloaded, "dropPreloaded", "environments",
     "Release a preloaded environment", nullptr, preload_responses},
};

#undef EPE_RUN

constexpr Route kUnversioned[] = {
    {"POST", "/omlusers/api/oauth2/v1/token", Access::kPublic, issue_token, "issueToken", "tokens",
     "Log in, or refresh a token", "TokenRequest", token_responses},
    {"POST", "/omlusers/api/oauth2/v1/revoke", Access::kPublic, revoke_token, "revokeToken",
     "tokens", "Revoke a token", "RevokeRequest", revoke_responses},
    {"GET", "/oml/api/py-scripts", Access::kToken, show_versions, "showVersions", "metadata",
     "All versions", nullptr, versions_responses},
};

constexpr Route kOperations[] = {
    {"GET", "/openapi.json", Access::kPublic, show_openapi, "showOpenapi", "documentation",
     "This document", nullptr, document_responses},
    {"GET", "/oml/api/openapi.json", Access::kPublic, show_openapi, "showOpenapiBelowApi",
     "documentation", "This document", nullptr, document_responses},
    {"GET", "/docs", Access::kPublic, show_docs_page, "showDocs", "documentation",
     "This document as a page", nullptr, page_responses},
    {"GET", "/docs/docs.js", Access::kPublic, show_docs_script, "showDocsScript", "documentation",
     "Script of the page", nullptr, page_script_responses},
    {"GET", "/docs/docs.css", Access::kPublic, show_docs_style, "showDocsStyle", "documentation",
     "Style of the page", nullptr, page_style_responses},
    {"GET", "/healthz", Access::kPublic, report_health, "reportHealth", "operation",
     "Health of the gateway", nullptr, health_responses},
    {"GET", "/metrics", Access::kPublic, report_metrics, "reportMetrics", "operation",
     "Metrics for Prometheus", nullptr, text_responses},
};

/// The routes, and storage for their texts.
class RouteTable {
   public:
    RouteTable() {
        for (const Route& route : kUnversioned) routes_.push_back(route);
        for (const VersionedRoute& route : kVersioned) add(route, "v1", route.v1);
        for (const VersionedRoute& route : kVersioned) add(route, "v2", route.v2);
        for (const Route& route : kOperations) routes_.push_back(route);
    }

    std::span<const Route> all() const { return routes_; }

   private:
    const char* keep(std::string text) { return texts_.emplace_back(std::move(text)).c_str(); }

    void add(const VersionedRoute& route, const std::string& version, Handler handler) {
        if (handler == nullptr) return;
        const std::string suffix = version == "v1" ? "V1" : "V2";
        routes_.push_back({route.method, keep("/oml/api/py-scripts/" + version + route.path),
                           Access::kToken, handler, keep(route.operation + suffix), route.tag,
                           route.summary, route.request_schema, route.responses});
    }

    std::deque<std::string> texts_{};  // a deque never moves its elements
    std::vector<Route> routes_{};
};

}  // namespace

std::span<const Route> routes() {
    static const RouteTable kRoutes;
    return kRoutes.all();
}

}  // namespace epe::gateway
