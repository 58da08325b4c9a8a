// The handlers of the API's routes; routes.cpp binds version and kind.
#pragma once

#include <string>

#include "route.h"
#include "run_request.h"

namespace epe::gateway {

void run_script(Exchange& exchange, RunKind kind, ApiVersion version);

template <RunKind kKind, ApiVersion kVersion>
void run(Exchange& exchange) {
    run_script(exchange, kKind, kVersion);
}

void list_scripts(Exchange& exchange);
void show_script(Exchange& exchange);
void store_script(Exchange& exchange);
void drop_script(Exchange& exchange);
void list_environments(Exchange& exchange);
void list_datastores(Exchange& exchange);
void show_datastore(Exchange& exchange);

void show_job_of(Exchange& exchange, ApiVersion version);
template <ApiVersion kVersion>
void show_job(Exchange& exchange) {
    show_job_of(exchange, kVersion);
}
void show_job_result(Exchange& exchange);
void show_job_events(Exchange& exchange);
void delete_job(Exchange& exchange);
void list_jobs(Exchange& exchange);

void preload_environment(Exchange& exchange);
void list_preloaded(Exchange& exchange);
void drop_preloaded(Exchange& exchange);

void show_versions(Exchange& exchange);
void show_version_of(Exchange& exchange, ApiVersion version);
template <ApiVersion kVersion>
void show_version(Exchange& exchange) {
    show_version_of(exchange, kVersion);
}

void show_openapi(Exchange& exchange);
void show_docs_page(Exchange& exchange);
void show_docs_script(Exchange& exchange);
void show_docs_style(Exchange& exchange);

}  // namespace epe::gateway
