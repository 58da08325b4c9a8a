// The rows of jobs as workers change them, in transactions of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/pipeline/ports.h"
#include "jobs/job.h"

namespace epe::jobs {

/// Lock timeout for recording an outcome, and for maintenance.
inline constexpr int kLockMilliseconds = 200;

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

/// Whether the database has the tables of this version of the extension.
bool has_extension();

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
/// Leaves the transition to maintenance, when the row can be locked.
void defer_outcome(const ClaimedJob& job, const Outcome& outcome);

std::string pickled_arguments(const JobId& id);  ///< of a claimed job; empty: none

/// Stores results of the form kStored.
class StoredResultSink final : public ResultSink {
   public:
    explicit StoredResultSink(const JobId& job) : job_(job) {}
    void add(CallResult result) override;

   private:
    JobId job_;
};

}  // namespace epe::jobs
