// The rows of the jobs, as workers change them.
#include "core/batch.h"
#include "jobs/statement.h"
#include "jobs/store.h"
#include "jobs/store_rows_internal.h"
#include "jobs/store_statements_internal.h"
#include "pg/boundary.h"
#include "pg/settings.h"

extern "C" {
#include "postgres.h"

#include "commands/extension.h"
#include "miscadmin.h"
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

void mark_lost_jobs() {
    for (const Row& row : run(kLostJobs, {})) {
        const JobId id = job_id(row[0].value_or(""));
        if (is_running(id)) continue;
        run(kEndLostJob, {id.text, row[1], error_text(lost_error(row[2] == "t"))});
    }
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
    return said.comment;
}

}  // namespace

bool has_extension() {
    return pg::guarded([]() noexcept { return OidIsValid(get_extension_oid("oml_epe", true)); });
}

std::int64_t look_after() {
    mark_lost_jobs();
    stop_deleted_jobs();
    const std::int64_t retention = pg::job_settings().retention_seconds;
    if (retention > 0) run(kPurge, {retention});
    return std::stoll(run(kCountQueued, {}).front().front().value_or("0"));
}

std::vector<std::uint32_t> waiting_roles() {
    std::vector<std::uint32_t> roles;
    for (const Row& row : run(kWaitingRoles, {}))
        roles.push_back(static_cast<std::uint32_t>(std::stoul(row[0].value_or("0"))));
    return roles;
}

std::optional<ClaimedJob> claim_job(std::uint32_t role, std::int64_t& number) {
    const std::vector<Row> rows = run(kNextJob, {std::int64_t{role}, number});
    if (rows.empty()) return std::nullopt;
    const JobId id = job_id(rows.front()[0].value_or(""));
    number = std::stoll(rows.front()[1].value_or("0"));
    begin_job(id, role);
    return read_job(run(kClaimJob, {id.text}).front());
}

bool finish_job(const ClaimedJob& job, bool is_trusted, const Said& said) {
    return !run(kFinishJob, {job.id.text, job.attempt, is_trusted ? "true" : "false",
                             fraction(said), comment(said)})
                .empty();
}

void fail_job(const ClaimedJob& job, const char* state, const ErrorReport& error,
              const Said& said) {
    run(kFailJob,
        {job.id.text, job.attempt, state, error_text(error), fraction(said), comment(said)});
}

bool lose_job(const ClaimedJob& job, const ErrorReport& error) {
    const std::vector<Row> rows = run(kEndLostJob, {job.id.text, job.attempt, error_text(error)});
    return !rows.empty() && rows.front().front() == "queued";
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
