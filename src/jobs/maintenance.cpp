// Maintenance of the job tables of a database, by a worker that serves no role.
#include "jobs/maintenance.h"

#include <string>
#include <vector>

#include "jobs/job_rows.h"
#include "jobs/job_statements.h"
#include "jobs/owner_sql.h"
#include "jobs/queues.h"
#include "jobs/shared_state.h"
#include "jobs/worker_slots.h"
#include "jobs/worker_store.h"
#include "jobs/worker_transaction.h"
#include "pg/backend/session.h"
#include "pg/backend/settings.h"

namespace epe::jobs {

namespace {

ErrorReport lost_error(bool is_of_earlier_server) {
    ErrorReport error;
    error.sqlstate = sqlstate::kServerLost;
    error.message = is_of_earlier_server ? "the server stopped while the job ran"
                                         : "the job's worker ended while the job ran";
    error.hint = "Submit it again; with \"oml_retries\" it is retried automatically.";
    return error;
}

/// One row of kChanges; false when its job's row is locked.
bool make_change(const Row& row) {
    const JobId id = job_id(row[1].value_or(""));
    if (row[7] == "t") {
        const std::vector<Row> locked = execute_sql(kTryLockJob, {id.text});
        if (locked.empty()) return execute_sql(kHasRow, {id.text}).empty();
        if (row[3] == "deleted") {
            execute_sql(kDeleteJob, {id.text});
            stop_job(id);
        } else {
            const bool is_made =
                !execute_sql(kMakeChange, {id.text, row[2], row[3], row[4], row[5], row[6]})
                     .empty();
            if (is_made && !row[2]) stop_job(id);
        }
    }
    execute_sql(kDropChange, {row[0], id.text});
    return true;
}

bool make_changes() {
    bool is_left = false;
    for (const Row& row : execute_sql(kChanges, {}))
        if (!make_change(row)) is_left = true;
    return is_left;
}

/// Returns whether changes remain, whose rows are locked.
bool mark_lost_jobs() {
    bool is_left = false;
    for (const Row& row : execute_sql(kLostJobs, {})) {
        const JobId id = job_id(row[0].value_or(""));
        if (is_running(id)) continue;
        const std::string error = error_text(lost_error(row[2] == "t"));
        if (execute_sql(kEndLostJob, {id.text, row[1], error}).empty() &&
            !execute_sql(kIsLost, {id.text, row[1]}).empty())
            is_left = true;
    }
    return is_left;
}

void stop_deleted_jobs() {
    int index = 0;
    JobId id{};
    while (next_running(pg::current_database(), index, id)) {
        if (execute_sql(kHasJob, {id.text}, Visibility::kLatest).empty()) stop_job(id);
    }
}

/// Returns whether changes remain, whose rows are locked.
bool update_tables(std::vector<QueuedJobs>& queues) {
    const bool has_changes = make_changes();
    const bool has_lost = mark_lost_jobs();
    stop_deleted_jobs();
    const std::int64_t retention = pg::job_settings().retention_seconds;
    if (retention > 0) execute_sql(kPurge, {retention});
    for (const Row& row : execute_sql(kCountQueued, {})) {
        const auto role = static_cast<std::uint32_t>(std::stoul(row[0].value_or("0")));
        queues.push_back({role, std::stoll(row[1].value_or("0"))});
    }
    return has_changes || has_lost;
}

}  // namespace

void maintain_tables(std::uint32_t database) {
    bool has_changes = false;
    try {
        const LockTimeout limit(kLockMilliseconds);
        std::vector<QueuedJobs> queues;
        const bool is_ours = in_own_transaction([&] {
            if (!has_extension()) return false;
            has_changes = update_tables(queues);
            return true;
        });
        // After the commit: a worker that was woken earlier would not see the jobs, and exit.
        for (const QueuedJobs& each : queues) note_queued({database, each.role}, each.count);
        note_maintenance(database, is_ours, has_changes);
    } catch (const Error& error) {
        if (error.report().sqlstate != kLockNotAvailable) throw;
        has_changes = true;  // a session has locked the whole table
    }
    announce_change();
    if (has_changes) request_maintenance_later(database);
}

}  // namespace epe::jobs
