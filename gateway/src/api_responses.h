// The "responses" objects of operations in the OpenAPI document: every status a route can return.
#pragma once

#include <nlohmann/json.hpp>

namespace epe::gateway {

nlohmann::json token_responses();
nlohmann::json revoke_responses();
nlohmann::json health_responses();
nlohmann::json text_responses();      ///< metrics
nlohmann::json document_responses();  ///< the OpenAPI document
nlohmann::json page_responses();      ///< /docs
nlohmann::json page_script_responses();
nlohmann::json page_style_responses();

nlohmann::json versions_responses();
nlohmann::json version_responses();
nlohmann::json run_responses();
nlohmann::json scripts_responses();
nlohmann::json script_responses();
nlohmann::json store_script_responses();
nlohmann::json drop_script_responses();
nlohmann::json environments_responses();
nlohmann::json datastores_responses();
nlohmann::json datastore_responses();
nlohmann::json job_responses();
nlohmann::json job_result_responses();
nlohmann::json job_events_responses();
nlohmann::json delete_job_responses();
nlohmann::json jobs_responses();
nlohmann::json preload_responses();
nlohmann::json preloaded_responses();

}  // namespace epe::gateway
