// The transitions of jobs that workers make.
#include "core/batch/batch.h"
#include "jobs/owner_sql.h"
#include "jobs/queues.h"
#include "jobs/store.h"
#include "jobs/store_rows_internal.h"
#include "jobs/store_statements_internal.h"
#include "pg/backend/settings.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding.h"

extern "C" {
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
}

namespace epe::jobs {

namespace {

std::string text_at(const Column& column, std::int64_t row) {
    const bool is_code = column.has_dictionary;
    const Column& texts = is_code ? column.children.front() : column;
    const std::int64_t index = is_code ? column.values.as<std::int32_t>()[row] : row;
    return {texts.bytes_at(index), static_cast<std::size_t>(texts.bytes_length(index))};
}

std::int64_t integer_at(const Column& column, std::int64_t row) {
    if (column.type.kind != Kind::kInt64)
        throw Error(sqlstate::kInternal, "stored result is of another shape");
    return column.values.as<std::int64_t>()[row];
}

ErrorReport lost_error(bool is_of_earlier_server) {
    ErrorReport error;
    error.sqlstate = sqlstate::kServerLost;
    error.message = is_of_earlier_server ? "the server stopped while the job ran"
                                         : "the job's worker ended while the job ran";
    error.hint = "Submit it again; with \"oml_retries\" it is run again by itself.";
    return error;
}

/// One row of kChanges; false when its job's row is locked.
bool make_change(const Row& row) {
    const JobId id = job_id(row[1].value_or(""));
    if (row[7] == "t") {
        const std::vector<Row> locked = run(kTryLockJob, {id.text});
        if (locked.empty()) return run(kHasRow, {id.text}).empty();
        if (row[3] == "deleted") {
            run(kDeleteJob, {id.text});
            stop_job(id);
        } else {
            const bool is_made =
                !run(kMakeChange, {id.text, row[2], row[3], row[4], row[5], row[6]}).empty();
            if (is_made && !row[2]) stop_job(id);
        }
    }
    run(kDropChange, {row[0], id.text});
    return true;
}

bool make_changes() {
    bool is_left = false;
    for (const Row& row : run(kChanges, {}))
        if (!make_change(row)) is_left = true;
    return is_left;
}

/// Returns whether changes remain, whose rows are locked.
bool mark_lost_jobs() {
    bool is_left = false;
    for (const Row& row : run(kLostJobs, {})) {
        const JobId id = job_id(row[0].value_or(""));
        if (is_running(id)) continue;
        const std::string error = error_text(lost_error(row[2] == "t"));
        if (run(kEndLostJob, {id.text, row[1], error}).empty() &&
            !run(kIsLost, {id.text, row[1]}).empty())
            is_left = true;
    }
    return is_left;
}

void stop_deleted_jobs() {
    int index = 0;
    JobId id{};
    while (next_running(MyDatabaseId, index, id)) {
        if (run(kHasJob, {id.text}, Sees::kLatest).empty()) stop_job(id);
    }
}

std::optional<std::string> fraction(const Said& said) {
    if (said.fraction < 0) return std::nullopt;
    return std::to_string(said.fraction);
}

std::optional<std::string> comment(const Said& said) {
    if (said.comment.empty()) return std::nullopt;
    return pg::storable(said.comment);
}

}  // namespace

/// Uses the tables of this version: until ALTER EXTENSION UPDATE, jobs wait.
bool has_extension() {
    return pg::guarded([]() noexcept {
        const Oid schema = get_namespace_oid("pyqsys", true);
        return OidIsValid(get_extension_oid("oml_epe", true)) && OidIsValid(schema) &&
               OidIsValid(get_relname_relid("job_changes", schema));
    });
}

bool look_at_jobs(std::vector<QueuedJobs>& queues) {
    const bool has_changes = make_changes();
    const bool has_lost = mark_lost_jobs();
    stop_deleted_jobs();
    const std::int64_t retention = pg::job_settings().retention_seconds;
    if (retention > 0) run(kPurge, {retention});
    for (const Row& row : run(kCountQueued, {})) {
        const auto role = static_cast<std::uint32_t>(std::stoul(row[0].value_or("0")));
        queues.push_back({role, std::stoll(row[1].value_or("0"))});
    }
    return has_changes || has_lost;
}

std::optional<NextJob> next_job(std::uint32_t role, std::int64_t number) {
    const std::vector<Row> rows = run(kNextJob, {std::int64_t{role}, number});
    if (rows.empty()) return std::nullopt;
    const Row& row = rows.front();
    return NextJob{job_id(row[0].value_or("")), std::stoll(row[1].value_or("0")), row[2] == "t"};
}

std::optional<ClaimedJob> claim_job(std::uint32_t role, bool may_log_in, std::int64_t& number) {
    const std::vector<Row> rows =
        run(kClaimJob, {std::int64_t{role}, number, may_log_in ? "true" : "false"});
    if (rows.empty()) return std::nullopt;
    number = std::stoll(rows.front()[kRequestColumns].value_or("0"));
    return read_job(rows.front());
}

void refuse_job(const NextJob& job, const ErrorReport& error) {
    run(kRefuseJob, {job.id.text, error_text(error)});
}

std::optional<std::string> role_setting(std::uint32_t role, const char* name) {
    const std::vector<Row> rows =
        run(kRoleSetting, {std::int64_t{MyDatabaseId}, std::int64_t{role}, name});
    if (rows.empty()) return std::nullopt;
    return rows.front()[0];
}

std::string pickled_arguments(const JobId& id) {
    std::vector<Row> rows = run(kPickledArguments, {id.text});
    if (rows.empty()) return {};
    return std::move(rows.front().front()).value_or("");
}

bool is_stopped(const ClaimedJob& job) {
    return run(kIsRunning, {job.id.text, job.attempt}).empty();
}

bool lock_table_now() {
    return pg::guarded([]() noexcept {
        const Oid table = get_relname_relid("jobs", get_namespace_oid("pyqsys", false));
        return OidIsValid(table) && ConditionalLockRelationOid(table, RowExclusiveLock);
    });
}

Recorded finish_job(const ClaimedJob& job, bool is_trusted, const Said& said) {
    if (!lock_table_now()) return Recorded::kLocked;
    if (!run(kFinishJob, {job.id.text, job.attempt, is_trusted ? "true" : "false", fraction(said),
                          comment(said)})
             .empty())
        return Recorded::kYes;
    return run(kIsRunning, {job.id.text, job.attempt}).empty() ? Recorded::kEnded
                                                               : Recorded::kLocked;
}

Recorded record_outcome(const ClaimedJob& job, const Outcome& outcome) {
    if (!lock_table_now()) return Recorded::kLocked;
    if (run(kTryLockJob, {job.id.text}).empty())
        return run(kHasRow, {job.id.text}).empty() ? Recorded::kEnded : Recorded::kLocked;
    run(kMakeChange, {job.id.text, job.attempt, outcome.state, error_text(outcome.error),
                      fraction(outcome.said), comment(outcome.said)});
    return Recorded::kYes;
}

void put_off_outcome(const ClaimedJob& job, const Outcome& outcome) {
    run(kPutOffChange, {job.id.text, job.attempt, outcome.state, error_text(outcome.error),
                        fraction(outcome.said), comment(outcome.said)});
}

void StoredResultSink::add(CallResult result) {
    const Batch& batch = result.batch;
    for (std::int64_t row = 0; row < batch.length; ++row) {
        const std::string data = text_at(batch.columns[3], row);
        run(kInsertResult, {job_.text, result.call_number, result.call_name,
                            integer_at(batch.columns[2], row), Parameter::bytes(data)});
    }
}

}  // namespace epe::jobs
