// A row of view pyq_jobs.
#pragma once

#include <optional>
#include <string>

#include "client_watch.h"
#include "json_text.h"
#include "run_request.h"
#include "session.h"

namespace epe::gateway {

struct JobRow {
    std::string id{};
    std::string state{};    ///< queued, running, finished, failed, cancelled, timed out; deleted
    std::string created{};  ///< "2026-01-26 20:35:22 UTC"
    std::string elapsed{};  ///< "00:00:14"
    RunKind kind = RunKind::kEval;
    Json parameters = Json::object();
    std::optional<double> progress{};
    std::optional<std::string> comment{};  ///< lines written by the script
    std::optional<std::string> error{};

    bool is_pending() const { return state == "queued" || state == "running"; }
};

/// Throws ApiError 500 for a job that does not exist, 401 for another user's (compatibility.md,
/// REST-28 and REST-8).
JobRow find_job(Lease& lease, const std::string& id, ClientWatch* watch);

/// The same job later; if it has been deleted, its last known row with state "deleted".
JobRow look_again(Lease& lease, const JobRow& job, ClientWatch* watch);

/// The user's own jobs, most recent first.
std::vector<JobRow> own_jobs(Lease& lease, ClientWatch* watch);

/// Adds "progress" and "comment", if the job has reported any.
void add_progress(const JobRow& job, Json& object);

}  // namespace epe::gateway
