// The rows of jobs as workers change them, in transactions of their own.
#include "jobs/worker_store.h"

#include <string>
#include <utility>

#include "core/batch/batch.h"
#include "jobs/job_rows.h"
#include "jobs/job_statements.h"
#include "jobs/owner_sql.h"
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
        throw Error(sqlstate::kInternal, "stored result has an unexpected shape");
    return column.values.as<std::int64_t>()[row];
}

std::optional<std::string> fraction(const JobProgress& progress) {
    if (progress.fraction < 0) return std::nullopt;
    return std::to_string(progress.fraction);
}

std::optional<std::string> comment(const JobProgress& progress) {
    if (progress.comment.empty()) return std::nullopt;
    return pg::storable(progress.comment);
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

std::optional<NextJob> next_job(std::uint32_t role, std::int64_t number) {
    const std::vector<Row> rows = execute_sql(kNextJob, {std::int64_t{role}, number});
    if (rows.empty()) return std::nullopt;
    const Row& row = rows.front();
    return NextJob{job_id(row[0].value_or("")), std::stoll(row[1].value_or("0")), row[2] == "t"};
}

std::optional<ClaimedJob> claim_job(std::uint32_t role, bool may_log_in, std::int64_t& number) {
    const std::vector<Row> rows =
        execute_sql(kClaimJob, {std::int64_t{role}, number, may_log_in ? "true" : "false"});
    if (rows.empty()) return std::nullopt;
    number = std::stoll(rows.front()[kRequestColumns].value_or("0"));
    return read_job(rows.front());
}

void refuse_job(const NextJob& job, const ErrorReport& error) {
    execute_sql(kRefuseJob, {job.id.text, error_text(error)});
}

std::optional<std::string> role_setting(std::uint32_t role, const char* name) {
    const std::vector<Row> rows =
        execute_sql(kRoleSetting, {std::int64_t{MyDatabaseId}, std::int64_t{role}, name});
    if (rows.empty()) return std::nullopt;
    return rows.front()[0];
}

std::string pickled_arguments(const JobId& id) {
    std::vector<Row> rows = execute_sql(kPickledArguments, {id.text});
    if (rows.empty()) return {};
    return std::move(rows.front().front()).value_or("");
}

bool is_stopped(const ClaimedJob& job) {
    return execute_sql(kIsRunning, {job.id.text, job.attempt}).empty();
}

bool lock_table_now() {
    return pg::guarded([]() noexcept {
        const Oid table = get_relname_relid("jobs", get_namespace_oid("pyqsys", false));
        return OidIsValid(table) && ConditionalLockRelationOid(table, RowExclusiveLock);
    });
}

Recorded finish_job(const ClaimedJob& job, bool is_trusted, const JobProgress& progress) {
    if (!lock_table_now()) return Recorded::kLocked;
    if (!execute_sql(kFinishJob, {job.id.text, job.attempt, is_trusted ? "true" : "false",
                                  fraction(progress), comment(progress)})
             .empty())
        return Recorded::kYes;
    return execute_sql(kIsRunning, {job.id.text, job.attempt}).empty() ? Recorded::kEnded
                                                                       : Recorded::kLocked;
}

Recorded record_outcome(const ClaimedJob& job, const Outcome& outcome) {
    if (!lock_table_now()) return Recorded::kLocked;
    if (execute_sql(kTryLockJob, {job.id.text}).empty())
        return execute_sql(kHasRow, {job.id.text}).empty() ? Recorded::kEnded : Recorded::kLocked;
    execute_sql(kMakeChange, {job.id.text, job.attempt, outcome.state, error_text(outcome.error),
                              fraction(outcome.progress), comment(outcome.progress)});
    return Recorded::kYes;
}

void defer_outcome(const ClaimedJob& job, const Outcome& outcome) {
    execute_sql(kDeferChange, {job.id.text, job.attempt, outcome.state, error_text(outcome.error),
                               fraction(outcome.progress), comment(outcome.progress)});
}

void StoredResultSink::add(CallResult result) {
    const Batch& batch = result.batch;
    for (std::int64_t row = 0; row < batch.length; ++row) {
        const std::string data = text_at(batch.columns[3], row);
        execute_sql(kInsertResult, {job_.text, result.call_number, result.call_name,
                                    integer_at(batch.columns[2], row), Parameter::bytes(data)});
    }
}

}  // namespace epe::jobs
