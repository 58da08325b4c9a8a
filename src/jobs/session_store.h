// The rows of jobs as sessions read and change them, in their own transactions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "jobs/job.h"

namespace epe::jobs {

/// A job as shown to its owner.
struct JobRecord {
    JobId id{};
    std::uint32_t owner = 0;
    std::string state{};
    bool is_own_change = false;  ///< made by the current transaction, not committed yet
    bool is_trusted = false;
    JobRequest request{};
    ErrorReport error{};

    bool is_pending() const { return state == "queued" || state == "running"; }
};

/// The UUID in a job's ID or URL. Throws Error 42704 when there is none.
JobId parse_job_id(const std::string& text);
/// Stores a job of the current user; it may start after the commit. Throws Error 55000 when no
/// worker could run it.
JobId submit_job(const JobRequest& request);
/// Throws Error 42704 for a job that the current user may not see.
JobRecord find_job(const JobId& id, bool is_latest = false);
/// Deletes the job, or marks it as cancelled; a worker that has it stops when the transaction
/// commits. While the row is locked, the worker is asked to stop, and the row is changed later.
/// With a cancellation, false if the job has ended already.
bool delete_job(const JobId& id);
bool cancel_job(const JobId& id);

/// A stored call: its pieces in pyqsys.job_data, in the order of call and piece.
struct StoredCall {
    std::int64_t number = 0;
    std::optional<std::string> name{};
    std::int64_t pieces = 0;
    std::int64_t bytes = 0;
};
std::vector<StoredCall> stored_calls(const JobId& id);

}  // namespace epe::jobs
