// The background worker that runs the jobs of one role in one database, one after the other.
#include "jobs/worker.h"

#include <algorithm>
#include <cstdlib>

#include "core/pipeline/call_stats.h"
#include "jobs/maintenance.h"
#include "jobs/queues.h"
#include "jobs/rights.h"
#include "jobs/shared_state.h"
#include "jobs/worker_process.h"
#include "jobs/worker_slots.h"
#include "jobs/worker_store.h"
#include "jobs/worker_transaction.h"
#include "pg/boundary/boundary.h"

namespace epe::jobs {

namespace {

/// How long an idle worker stays, to save the next job the start of a worker. DROP DATABASE waits
/// five seconds for it to end.
constexpr long kIdleMilliseconds = 2000;
/// Time for further jobs after the first before the worker makes room for a queue below its share:
/// this long, or twice the time of its start and first job, if that is more ...
constexpr std::int64_t kSliceNanoseconds = 200'000'000;
/// ... and none when the first job took this long.
constexpr std::int64_t kLongJobNanoseconds = 1'000'000'000;
/// The search for a role's next job begins after its last one: where a transaction is held open
/// somewhere, the index still has the entries of all completed jobs before it. It begins at the
/// start this often while jobs arrive ...
constexpr std::int64_t kNewSearchNanoseconds = 50'000'000;
/// ... and this often in any case, for jobs with lower numbers.
constexpr std::int64_t kAnySearchNanoseconds = 1'000'000'000;

enum class Found : std::uint8_t { kJob, kNothing, kLocked, kClosed };

class RoleWorker {
   public:
    RoleWorker(const Assignment& queue, RunJob run) : queue_(queue), run_(run) {}
    void serve_queue();

   private:
    bool must_go();
    int look_up_cap() const;
    void find_libraries();
    Found claim_next_job();
    template <typename Find>
    auto find_next_job(Find find);
    void refuse_jobs(Right right);
    bool run_next_job();
    bool wait_for_work();

    Assignment queue_;
    RunJob run_;
    std::optional<ClaimedJob> job_{};
    std::int64_t began_ = now_nanoseconds();  // the start of its slice
    std::int64_t slice_end_ = 0;              // 0: its first job has not ended
    std::int64_t number_ = -1;
    std::uint64_t seen_version_ = 0;
    std::int64_t searched_at_ = 0;
    bool is_closed_ = false;  // this process may run nothing more
};

bool RoleWorker::must_go() {
    reload_settings();
    if (is_closed_) return true;
    if (must_end(slice_end_ > 0 && now_nanoseconds() >= slice_end_)) return true;
    if (!is_cap_known(queue_)) note_cap(queue_, in_own_transaction([&] { return look_up_cap(); }));
    return is_over_cap();
}

int RoleWorker::look_up_cap() const {
    if (!has_extension()) return 0;
    const auto setting = role_setting(queue_.role, "oml_epe.max_jobs_per_role");
    return setting ? std::max(0, std::atoi(setting->c_str())) : default_cap();
}

/// The role's settings that name libraries, which its first job loads.
void RoleWorker::find_libraries() {
    (void)in_own_transaction([&] {
        if (!has_extension()) return false;
        for (const char* name : {"session_preload_libraries", "local_preload_libraries"})
            if (const auto setting = role_setting(queue_.role, name))
                override_setting(name, setting->c_str());
        return true;
    });
}

/// Searches with `find(number)` for a job after the last one, or from the start.
template <typename Find>
auto RoleWorker::find_next_job(Find find) {
    const std::uint64_t version = queue_version(queue_);
    const std::int64_t age = now_nanoseconds() - searched_at_;
    if (age < (version == seen_version_ ? kAnySearchNanoseconds : kNewSearchNanoseconds))
        if (auto job = find(number_)) return job;
    seen_version_ = version;
    searched_at_ = now_nanoseconds();
    number_ = -1;
    return find(number_);
}

/// Jobs of a role that has lost the right to log in fail if they need it; jobs that do not need it
/// are claimed.
void RoleWorker::refuse_jobs(Right right) {
    while (auto found = find_next_job([&](std::int64_t& number) {
               auto job = next_job(queue_.role, number);
               if (job) number = job->number;
               return job;
           })) {
        if (found->needs_login || right == Right::kNoRole) {
            refuse_job(*found, refusal(right, queue_.role));
            continue;
        }
        number_ = found->number - 1;
        return;
    }
}

/// Claims the next job. If the role has lost the right that it needs, it fails, and the search
/// continues.
Found RoleWorker::claim_next_job() {
    job_.reset();
    begin_claim();
    if (!has_extension()) return Found::kNothing;
    if (!pg::guarded([]() noexcept { return is_database_open(); })) return Found::kClosed;
    if (!lock_table_now()) return Found::kLocked;
    const Right right = pg::guarded([role = queue_.role]() noexcept { return right_of(role); });
    if (right != Right::kMay) refuse_jobs(right);
    if (right == Right::kNoRole) return Found::kNothing;
    job_ = find_next_job(
        [&](std::int64_t& number) { return claim_job(queue_.role, right == Right::kMay, number); });
    if (!job_) return Found::kNothing;
    begin_job(job_->id);
    return Found::kJob;
}

/// Runs one job, if there is one.
bool RoleWorker::run_next_job() {
    const Found found = in_own_transaction([&] { return claim_next_job(); });
    if (found == Found::kLocked) request_maintenance_later(queue_.database);
    announce_change();
    is_closed_ = found == Found::kClosed;
    if (found != Found::kJob) return false;
    is_closed_ = !run_job(*job_, run_);
    if (slice_end_ == 0) {
        const std::int64_t now = now_nanoseconds();
        const std::int64_t took = now - began_;
        slice_end_ =
            took >= kLongJobNanoseconds ? now : now + std::max(kSliceNanoseconds, 2 * took);
    }
    end_job();
    announce_change();
    return true;
}

/// Waits for further jobs; false: the worker must end.
bool RoleWorker::wait_for_work() {
    if (!begin_waiting()) return false;
    const bool is_over = !wait_for_latch(kIdleMilliseconds);
    began_ = now_nanoseconds();
    slice_end_ = 0;
    return !end_waiting(is_over || must_end(false));
}

void RoleWorker::serve_queue() {
    find_libraries();
    while (!must_go()) {
        const std::uint64_t version = queue_version(queue_);
        if (run_next_job() || is_closed_) continue;
        note_empty(queue_, version);
        if (queue_version(queue_) == version && !wait_for_work()) return;
    }
}

}  // namespace

void worker_main(int slot, RunJob run) {
    Assignment assignment{};
    if (!attach_worker(slot, assignment)) return;
    connect_worker(assignment.database, assignment.role);
    try {
        if (assignment.role == 0)
            maintain_tables(assignment.database);
        else
            RoleWorker(assignment, run).serve_queue();
        leave();
    } catch (const std::exception& error) {
        // Maintenance handles the job that it may have had.
        log_failure(error.what());
    }
}

}  // namespace epe::jobs
