// One attempt at a job in its worker, and its outcome.
#include "jobs/job_attempt.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/pipeline/call_stats.h"
#include "jobs/queues.h"
#include "jobs/session_settings.h"
#include "jobs/shared_state.h"
#include "jobs/worker_process.h"
#include "jobs/worker_slots.h"
#include "jobs/worker_store.h"
#include "jobs/worker_transaction.h"
#include "pg/backend/session.h"

namespace epe::jobs {

namespace {

/// Between two attempts to lock a row.
constexpr long kNapMilliseconds = 20;
constexpr std::size_t kLongestComment = std::size_t{64} << 10;

const ClaimedJob* current = nullptr;
bool has_libraries = false;

JobProgress& reported_progress() {
    // Not destroyed (architecture.md, "Ownership").
    static JobProgress* one = std::make_unique<JobProgress>().release();
    return *one;
}

/// The job is done, but a session that has cancelled or deleted it keeps its row locked.
class RowIsLocked final : public std::exception {};

/// Shows the job's name while it runs.
class CurrentJob {
   public:
    explicit CurrentJob(const ClaimedJob& job) noexcept { current = &job; }
    ~CurrentJob() { current = nullptr; }
    CurrentJob(const CurrentJob&) = delete;
    CurrentJob& operator=(const CurrentJob&) = delete;
};

ErrorReport timeout_error(ErrorReport error, std::int64_t seconds) {
    error.sqlstate = sqlstate::kQueryCanceled;
    error.message = "job timed out after " + std::to_string(seconds) + " s";
    error.hint = "Pass a larger \"timeout\" when it is submitted.";
    return error;
}

Outcome outcome_of(const ClaimedJob& job, ErrorReport error) {
    const bool is_lost = error.engine_failure != EngineFailure::kNone;
    const char* state = error.sqlstate == sqlstate::kQueryCanceled ? "cancelled" : "failed";
    if (has_timed_out()) {
        state = "timed out";
        error = timeout_error(std::move(error), job.request.timeout_seconds);
    } else if (is_lost && job.attempt <= job.request.retries) {
        state = "queued";
    }
    return {state, std::move(error), reported_progress()};
}

/// Retries while another session's lock conflicts, until `may_wait` returns false.
template <typename Attempt, typename MayWait>
Recorded retry_while_locked(Attempt attempt, MayWait may_wait) {
    while (true) {
        const Recorded recorded = attempt();
        if (recorded != Recorded::kLocked || !may_wait()) return recorded;
    }
}

/// The job's row is updated soon, or by later maintenance: the worker does not wait for its lock.
void record_failure(const ClaimedJob& job, const Outcome& outcome) {
    const std::uint32_t database = pg::current_database();
    const std::int64_t end = now_nanoseconds() + std::int64_t{kLockMilliseconds} * 1'000'000;
    const Recorded recorded = retry_while_locked(
        [&] { return in_own_transaction([&] { return record_outcome(job, outcome); }); },
        [&] {
            (void)wait_for_latch(kNapMilliseconds);
            return now_nanoseconds() < end;
        });
    if (recorded == Recorded::kYes && outcome.state == "queued") announce(database, job.owner, 1);
    if (recorded != Recorded::kLocked) return;
    (void)in_own_transaction([&] {
        defer_outcome(job, outcome);
        return true;
    });
    request_maintenance_later(database);
}

/// Marks the row as finished. While a session that has cancelled or deleted the job, and may still
/// roll back, holds the row's lock, the transaction waits, unless the worker is needed elsewhere.
/// False: the session has committed.
bool mark_finished(const ClaimedJob& job, bool is_trusted) {
    const Recorded recorded =
        retry_while_locked([&] { return finish_job(job, is_trusted, reported_progress()); },
                           [] {
                               nap(kNapMilliseconds);
                               return !is_needed();
                           });
    if (recorded == Recorded::kLocked) throw RowIsLocked();
    return recorded == Recorded::kYes;
}

/// Runs the job in one transaction.
void attempt_job(const ClaimedJob& job, RunJob run) {
    reported_progress() = JobProgress{};
    (void)in_job_transaction([&] {
        // A stop may have arrived since before the commit of the claim.
        if (requested_stop() != Stop::kNo || (has_missed_stop() && is_stopped(job)))
            throw Error(sqlstate::kQueryCanceled, "job was cancelled");
        if (!has_libraries) load_libraries();
        has_libraries = true;
        apply_settings(job.request.settings);
        StoredResultSink sink(job.id);
        const bool is_trusted = run(job, sink);
        settle_transaction();
        // False: it has been cancelled or deleted, and nothing of it may remain.
        if (!mark_finished(job, is_trusted))
            throw Error(sqlstate::kQueryCanceled, "job was cancelled");
        return true;
    });
}

/// After a start of the server, the supervisor of the engines may be late, or may still be the
/// earlier server's: retries if the engine has not started. Returns nothing when the job has
/// finished.
std::optional<Outcome> try_job(const ClaimedJob& job, RunJob run) {
    constexpr int kTries = 10;
    constexpr long kRetryMilliseconds = 200;
    for (int tries = kTries;; --tries) {
        try {
            attempt_job(job, run);
            return std::nullopt;
        } catch (const RowIsLocked&) {
            // Its writes are rolled back. If the session rolls back too, the job runs again.
            return Outcome{"queued", {}, reported_progress()};
        } catch (const Error& error) {
            if (error.report().engine_failure != EngineFailure::kNotStarted || tries == 1 ||
                has_timed_out())
                return outcome_of(job, error.report());
        }
        (void)wait_for_latch(kRetryMilliseconds);
    }
}

}  // namespace

const ClaimedJob* current_job() noexcept { return current; }

bool run_job(const ClaimedJob& job, RunJob run) {
    std::optional<Outcome> outcome;
    begin_limits(job.request.timeout_seconds);
    {
        const CurrentJob named(job);
        outcome = try_job(job, run);
    }
    end_limits();
    if (outcome) record_failure(job, *outcome);
    try {
        if (is_session_used())
            (void)in_job_transaction([] {
                reset_session();
                return true;
            });
        return true;
    } catch (const Error& error) {  // of a role that has been dropped meanwhile, for one
        log_failure(error.what());
        return false;
    }
}

void report_progress(std::optional<double> fraction, const std::optional<std::string>& line) {
    JobProgress& now = reported_progress();
    if (fraction) now.fraction = std::clamp(*fraction, 0.0, 1.0);
    if (line) {
        now.comment += (now.comment.empty() ? "" : "\n") + *line;
        if (now.comment.size() > kLongestComment)
            now.comment.erase(0, now.comment.find('\n', kLongestComment / 4) + 1);
    }
    note_progress(now.fraction, now.comment.c_str());
}

}  // namespace epe::jobs
