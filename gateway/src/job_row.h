// A job as view pyq_jobs shows it.
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
    std::optional<std::string> comment{};  ///< lines of the script's own
    std::optional<std::string> error{};

    bool is_pending() const { return state == "queued" || state == "running"; }
};

/// Throws ApiError 500 for a job that does not exist, 401 for another user's (compatibility.md,
/// REST-28 and REST-8).
JobRow find_job(Lease& lease, const std::string& id, ClientWatch* watch);

/// The same job at a later time; of one that is gone by now, its last row in the state "deleted".
JobRow look_again(Lease& lease, const JobRow& job, ClientWatch* watch);

/// The user's own jobs, the latest first.
std::vector<JobRow> own_jobs(Lease& lease, ClientWatch* watch);

/// Adds "progress" and "comment", where the job has said any.
void add_progress(const JobRow& job, Json& object);

}  // namespace epe::gateway
