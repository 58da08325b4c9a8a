// The rows of the jobs, and every change of a job's state.
//
//                    +-> cancelled <-------+
//   submit -> queued +-> running +-> finished
//                ^               +-> failed, timed out
//                +--- retry -----+
//
// A session submits, cancels and deletes in its own transaction. A worker claims a job in one
// transaction; runs it, stores its results and says "finished" in a second, so that what a job
// wrote, its result and its state stand or fall together; and records a failure in a third. Every
// change names the state and the attempt that it starts from: who comes second changes nothing.
// Each change of state but the submission notifies channel pyq_job: "<id> <state>".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/ports.h"
#include "jobs/shared_state.h"

namespace epe::jobs {

/// What is run, and how.
struct JobRequest {
    EvalFunction function = EvalFunction::kEval;
    RawArguments arguments{};
    std::vector<std::string> settings{};
    std::int64_t timeout_seconds = 0;
    std::int64_t retries = 0;
};

/// A job that a worker has.
struct ClaimedJob {
    JobId id{};
    std::uint32_t owner = 0;
    std::int64_t attempt = 0;
    JobRequest request{};
};

/// A job as its owner sees it.
struct JobRecord {
    JobId id{};
    std::uint32_t owner = 0;
    std::string state{};
    bool is_own_change = false;  ///< of the current transaction, not committed yet
    bool is_trusted = false;
    JobRequest request{};
    ErrorReport error{};

    bool is_pending() const { return state == "queued" || state == "running"; }
};

// --------------------------------------------------------- in a session, in its transaction

/// The UUID in a job's ID or URL. Throws Error 42704 when there is none.
JobId parse_job_id(const std::string& text);
/// Stores a job of the current user's; it may start when the transaction has committed. Throws
/// Error 55000 when nobody would run it.
JobId submit(const JobRequest& request);
/// Throws Error 42704 for a job that the current user may not see.
JobRecord find_job(const JobId& id, bool is_latest = false);
/// Deletes it, or marks it as cancelled; a worker that has it stops when the transaction commits.
/// False for a job that has ended already, when it is only to be cancelled.
bool delete_job(const JobId& id);
bool cancel_job(const JobId& id);

/// A stored call: its pieces stand in pyqsys.job_data in the order of call and piece.
struct StoredCall {
    std::int64_t number = 0;
    std::optional<std::string> name{};
    std::int64_t pieces = 0;
    std::int64_t bytes = 0;
};
std::vector<StoredCall> stored_calls(const JobId& id);

// --------------------------------------------------------- in a worker, in transactions of its own

/// What a job has said of itself.
struct Said {
    double fraction = -1;  ///< negative: nothing
    std::string comment{};
};

bool has_extension();
/// Marks the jobs that no worker has any more, removes old ones and stops those whose row is gone.
/// Returns how many jobs wait.
std::int64_t look_after();
/// The oldest waiting job of a role; of those after `number`, which is updated.
std::optional<ClaimedJob> claim_job(std::uint32_t role, std::int64_t& number);
/// The roles that have waiting jobs.
std::vector<std::uint32_t> waiting_roles();
/// False when the job has been cancelled or deleted: then nothing of it may remain.
bool finish_job(const ClaimedJob& job, bool is_trusted, const Said& said);
void fail_job(const ClaimedJob& job, const char* state, const ErrorReport& error, const Said& said);
/// A job that has been lost without its own doing: it waits again while it has retries left, else
/// it has failed. Returns whether it waits.
bool lose_job(const ClaimedJob& job, const ErrorReport& error);

/// Stores results of the form kStored.
class StoredResultSink final : public ResultSink {
   public:
    explicit StoredResultSink(const JobId& job) : job_(job) {}
    void add(CallResult result) override;

   private:
    JobId job_;
};

}  // namespace epe::jobs
