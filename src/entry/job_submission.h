// Submits a call as a job.
#pragma once

#include <string>

#include "core/request/request.h"

namespace epe::pg {
class FunctionCall;
}

namespace epe {

/// Validates everything possible before the job runs, submits it in the current transaction and
/// returns the row with its URL (compatibility.md, SQL-55).
void submit_job(const pg::FunctionCall& call, const Request& request, const RawArguments& raw);

/// Validates and submits a request with its source and pickled arguments; returns the ID. It must
/// not read temporary tables, which belong to the session (Error 0A000).
std::string submit_request(const Request& request, const RawArguments& raw);

/// The URL of a job.
std::string job_url(const char* id);

}  // namespace epe
