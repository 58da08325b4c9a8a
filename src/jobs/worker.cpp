// The background worker that runs jobs, one after the other, of one database.
#include "jobs/worker.h"

#include <algorithm>
#include <map>
#include <memory>

#include "core/call_stats.h"
#include "jobs/session_settings.h"
#include "jobs/shared_state.h"
#include "jobs/worker_process_internal.h"
#include "pg/session.h"

namespace epe::jobs {

namespace {

/// How long a worker without a job stays, which saves the next one its start. DROP DATABASE waits
/// five seconds for it to go.
constexpr long kIdleMilliseconds = 2000;
/// The roles that have waiting jobs are looked up anew that often at most while jobs come in ...
constexpr std::int64_t kNewLookNanoseconds = 50'000'000;
/// ... and that often in any case, for jobs that stand before those that were claimed last.
constexpr std::int64_t kAnyLookNanoseconds = 1'000'000'000;
constexpr std::size_t kLongestComment = std::size_t{64} << 10;

Said& said() {
    static Said* one = std::make_unique<Said>().release();  // never destroyed: see DESIGN 8
    return *one;
}

/// Gives out the jobs of a database: of the role with the fewest running, its oldest. A role's next
/// job is looked for behind its last: where a transaction is held open somewhere, the entries of
/// all jobs that are done stand before it in the index.
class Queue {
   public:
    std::optional<ClaimedJob> claim();

   private:
    struct Role {
        std::uint32_t oid;
        std::int64_t number;
        int running;
        std::uint64_t served;
    };
    std::optional<ClaimedJob> claim_known();

    std::vector<Role> roles_{};
    std::map<std::uint32_t, std::uint64_t> served_{};
    std::uint64_t clock_ = 0;
    std::uint64_t seen_version_ = 0;
    std::int64_t looked_at_ = 0;
};

std::optional<ClaimedJob> Queue::claim() {
    const std::uint64_t version = queue_version(pg::current_database());
    const std::int64_t age = now_nanoseconds() - looked_at_;
    if (age < (version == seen_version_ ? kAnyLookNanoseconds : kNewLookNanoseconds))
        if (auto job = claim_known()) return job;
    seen_version_ = version;
    looked_at_ = now_nanoseconds();
    roles_.clear();
    for (const std::uint32_t role : waiting_roles()) roles_.push_back({role, -1, 0, served_[role]});
    return claim_known();
}

std::optional<ClaimedJob> Queue::claim_known() {
    for (Role& role : roles_) role.running = running_jobs(pg::current_database(), role.oid);
    std::sort(roles_.begin(), roles_.end(), [](const Role& left, const Role& right) {
        return std::pair(left.running, left.served) < std::pair(right.running, right.served);
    });
    for (Role& role : roles_) {
        if (auto job = claim_job(role.oid, role.number)) {
            role.served = served_[role.oid] = ++clock_;
            return job;
        }
    }
    return std::nullopt;
}

/// Runs `body` in a transaction of its own. An error rolls it back and flies on.
template <typename Body>
auto in_transaction(Body body) {
    begin_transaction();
    try {
        auto result = body();
        commit_transaction();
        return result;
    } catch (...) {
        abort_transaction();
        throw;
    }
}

const char* failure_state(const ErrorReport& error, bool is_timed_out) {
    if (is_timed_out) return "timed out";
    return error.sqlstate == sqlstate::kQueryCanceled ? "cancelled" : "failed";
}

ErrorReport timeout_error(ErrorReport error, std::int64_t seconds) {
    error.sqlstate = sqlstate::kQueryCanceled;
    error.message = "job timed out after " + std::to_string(seconds) + " s";
    error.hint = "Pass a larger \"timeout\" when it is submitted.";
    return error;
}

void record_failure(const ClaimedJob& job, ErrorReport error) {
    const bool is_timed_out = has_timed_out();
    end_limits();
    const char* state = failure_state(error, is_timed_out);
    if (is_timed_out) error = timeout_error(std::move(error), job.request.timeout_seconds);
    const bool is_lost = error.engine_failure != EngineFailure::kNone && !is_timed_out;
    const bool waits_again = in_transaction([&] {
        if (is_lost) return lose_job(job, error);
        fail_job(job, state, error, said());
        return false;
    });
    if (waits_again) announce(pg::current_database(), 1, false);
}

/// Everything that the job is, in one transaction.
void attempt(const ClaimedJob& job, RunJob run) {
    said() = Said{};
    (void)in_transaction([&] {
        if (stop_wish() != Stop::kNo)  // since before the claim was committed
            throw Error(sqlstate::kQueryCanceled, "job was cancelled");
        become(job.owner);
        apply_settings(job.request.settings);
        StoredResultSink sink(job.id);
        const bool is_trusted = run(job.request, sink);
        // False: it has been cancelled or deleted, and nothing of it may remain.
        if (!finish_job(job, is_trusted, said()))
            throw Error(sqlstate::kQueryCanceled, "job was cancelled");
        return true;
    });
}

/// When the server starts, the supervisor of the engines may be late, or be an earlier server's
/// last: an engine that has not started is asked for again.
void run_job(const ClaimedJob& job, RunJob run) {
    constexpr int kTries = 10;
    constexpr long kNapMilliseconds = 200;
    begin_limits(job.request.timeout_seconds);
    for (int tries = kTries;; --tries) {
        try {
            attempt(job, run);
            end_limits();
            return;
        } catch (const Error& error) {
            if (error.report().engine_failure != EngineFailure::kNotStarted || tries == 1 ||
                has_timed_out()) {
                record_failure(job, error.report());
                return;
            }
        }
        (void)wait_for_latch(kNapMilliseconds);
    }
}

/// One job, if there is one.
bool run_next(Queue& queue, RunJob run) {
    const auto job = in_transaction(
        [&] { return has_extension() ? queue.claim() : std::optional<ClaimedJob>(); });
    if (!job) return false;
    tell_change();
    run_job(*job, run);
    end_job();
    tell_change();
    return true;
}

/// Whether there may be something to do again; false: the worker must go.
bool wait_for_work() {
    if (!begin_waiting()) return false;
    const bool is_over = !wait_for_latch(kIdleMilliseconds);
    return !end_waiting(is_over || must_yield());
}

void serve(RunJob run) {
    const std::uint32_t database = pg::current_database();
    const bool is_ours = in_transaction([&] {
        if (!has_extension()) return false;
        note_queued(database, look_after());
        return true;
    });
    tell_change();
    if (!is_ours) return;
    note_extension();
    Queue queue;
    while (true) {
        reload_settings();
        if (must_yield()) {
            want_worker(database);  // for what still waits
            return;
        }
        const std::uint64_t version = queue_version(database);
        if (run_next(queue, run)) continue;
        note_empty(database, version);
        if (queue_version(database) == version && !wait_for_work()) return;
    }
}

}  // namespace

void work(int slot, RunJob run) {
    std::uint32_t database = 0;
    if (!attach_worker(slot, database)) return;
    connect_worker(database);
    try {
        serve(run);
        leave();
    } catch (const std::exception& error) {
        // Whatever job it had is seen to by the next worker.
        log_failure(error.what());
    }
}

void say(std::optional<double> fraction, const std::optional<std::string>& line) {
    Said& current = said();
    if (fraction) current.fraction = std::clamp(*fraction, 0.0, 1.0);
    if (line) {
        current.comment += (current.comment.empty() ? "" : "\n") + *line;
        if (current.comment.size() > kLongestComment)
            current.comment.erase(0, current.comment.find('\n', kLongestComment / 4) + 1);
    }
    note_progress(current.fraction, current.comment.c_str());
}

}  // namespace epe::jobs
