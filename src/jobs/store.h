// The rows of jobs, and all transitions of their states.
//
//                    +-> cancelled <-------+
//   submit -> queued +-> running +-> finished
//              | ^               +-> failed, timed out
//              | +--- retry -----+
//              +-> failed: its owner may not log in any more
//
// A session submits, cancels and deletes in its own transaction. A worker claims a job in one
// transaction; runs it, stores its results and marks it as finished in a second; and records a
// failure in a third. Every transition specifies its initial state and attempt, so that the loser
// of a race is a no-op. Each transition except the submission notifies channel pyq_job: "<id>
// <state>". A transition that cannot lock the row soon is recorded in pyqsys.job_changes and made
// by a look (look.cpp) when the row is free.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/pipeline/ports.h"
#include "jobs/shared_state.h"

namespace epe::jobs {

/// The call of a job.
struct JobRequest {
    EvalFunction function = EvalFunction::kEval;
    RawArguments arguments{};
    std::vector<std::string> settings{};
    std::int64_t timeout_seconds = 0;
    std::int64_t retries = 0;
    bool needs_login = true;              ///< its owner must be able to log in when it starts
    std::optional<std::string> source{};  ///< as in Request
    std::string pickled{};                ///< as in Request; of a submission only
    bool is_by_untrusted = false;         ///< submitted by an untrusted script
};

/// A job that a worker has claimed.
struct ClaimedJob {
    JobId id{};
    std::uint32_t owner = 0;
    std::int64_t attempt = 0;
    JobRequest request{};
};

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

// --------------------------------------------------------- in a session, in its transaction

/// The UUID in a job's ID or URL. Throws Error 42704 when there is none.
JobId parse_job_id(const std::string& text);
/// Stores a job of the current user; it may start after the commit. Throws Error 55000 when no
/// worker could run it.
JobId submit(const JobRequest& request);
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

// --------------------------------------------------------- in a worker, in transactions of its own

/// The last progress and comment that a job reported.
struct JobProgress {
    double fraction = -1;  ///< negative: not reported
    std::string comment{};
};

/// Outcome of an attempt that has not finished.
struct Outcome {
    std::string state{};
    ErrorReport error{};
    JobProgress progress{};
};

struct QueuedJobs;  // queues.h
bool has_extension();
/// Makes the changes that waited for row locks, marks lost jobs, removes old ones, stops those
/// whose row was deleted, counts queued ones; returns whether changes are still waiting.
bool look_at_jobs(std::vector<QueuedJobs>& queues);

/// A queued job, locked.
struct NextJob {
    JobId id{};
    std::int64_t number = 0;
    bool needs_login = true;
};
/// The oldest queued job of a role with a number above `number`.
std::optional<NextJob> next_job(std::uint32_t role, std::int64_t number);
/// Claims it and sets `number`. Without `may_log_in`, only jobs that do not need the right.
std::optional<ClaimedJob> claim_job(std::uint32_t role, bool may_log_in, std::int64_t& number);
/// Marks it as failed without an attempt.
void refuse_job(const NextJob& job, const ErrorReport& error);
/// The settings of ALTER ROLE or ALTER DATABASE ... SET for sessions of the role in this database.
std::optional<std::string> role_setting(std::uint32_t role, const char* name);

bool is_stopped(const ClaimedJob& job);  ///< whether a session has cancelled or deleted it

/// The following functions do not wait for locks of other sessions.
enum class Recorded : std::uint8_t {
    kYes,
    kEnded,   ///< the job has been cancelled or deleted: nothing of it may remain
    kLocked,  ///< a session that may still roll back has locked the row, or its table
};

bool lock_table_now();  ///< whether rows can be changed at once, until the transaction ends
Recorded finish_job(const ClaimedJob& job, bool is_trusted, const JobProgress& progress);
Recorded record_outcome(const ClaimedJob& job, const Outcome& outcome);  // "queued": again
/// Leaves the transition to a look, when the row can be locked.
void defer_outcome(const ClaimedJob& job, const Outcome& outcome);

std::string pickled_arguments(const JobId& id);  ///< of a claimed job; empty: none
const ClaimedJob* current_job() noexcept;        ///< that this process runs now; null: none

/// Stores results of the form kStored.
class StoredResultSink final : public ResultSink {
   public:
    explicit StoredResultSink(const JobId& job) : job_(job) {}
    void add(CallResult result) override;

   private:
    JobId job_;
};

}  // namespace epe::jobs
