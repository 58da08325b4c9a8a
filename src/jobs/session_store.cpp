// The rows of jobs as sessions read and change them, in their own transactions.
#include "jobs/session_store.h"

#include <algorithm>
#include <utility>

#include "jobs/commit_hooks.h"
#include "jobs/job_attempt.h"
#include "jobs/job_rows.h"
#include "jobs/job_statements.h"
#include "jobs/owner_sql.h"
#include "jobs/rights.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/subtransaction.h"

extern "C" {
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
}

namespace epe::jobs {

namespace {

Parameter optional_parameter(const std::optional<std::int64_t>& number) {
    return number ? Parameter(*number) : Parameter(std::nullopt);
}

/// A job that the role itself submits requires its right to log in; so do jobs submitted by that
/// job. A role that is assumed by SET ROLE or SECURITY DEFINER may never have had it.
bool needs_login() {
    if (const auto* current = current_job()) return current->request.needs_login;
    if (GetSessionUserId() == GetUserId()) return true;
    return pg::guarded([role = GetUserId()]() noexcept { return right_of(role) == Right::kMay; });
}

/// Locks a job's row; false when it would have to wait.
bool lock_soon(const JobId& id) {
    constexpr int kMilliseconds = 100;
    const LockTimeout limit(kMilliseconds);
    try {
        return pg::in_subtransaction([&] {
            execute_sql(kLockJob, {id.text});
            return true;
        });
    } catch (const Error& error) {
        if (error.report().sqlstate != kLockNotAvailable) throw;
        return false;
    }
}

void defer_change(const JobId& id, const char* state, const std::optional<std::string>& error) {
    execute_sql(kDeferChange, {id.text, std::nullopt, state, error, std::nullopt, std::nullopt});
    maintain_at_commit();
}

}  // namespace

JobId parse_job_id(const std::string& text) {
    constexpr std::string_view kResult = "/result";
    std::string_view id = text;
    if (id.ends_with(kResult)) id.remove_suffix(kResult.size());
    id.remove_prefix(std::min(id.rfind('/') + 1, id.size()));
    bool is_uuid = id.size() == kIdSize - 1;
    std::string lower;
    for (std::size_t i = 0; is_uuid && i < id.size(); ++i) {
        const char each = static_cast<char>(id[i] >= 'A' && id[i] <= 'F' ? id[i] + 32 : id[i]);
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool is_digit = (each >= '0' && each <= '9') || (each >= 'a' && each <= 'f');
        is_uuid = is_dash ? each == '-' : is_digit;
        lower += each;
    }
    if (!is_uuid)
        throw Error(
            sqlstate::kUndefinedObject, "job \"" + text + "\" does not exist",
            "The ID of a job is the UUID at the end of the URL that its submission returned.");
    return job_id(lower);
}

JobId submit_job(const JobRequest& request) {
    if (!has_shared_state())
        throw Error(sqlstate::kNotInState, "jobs need oml_epe in \"shared_preload_libraries\"",
                    "Add it to the server's configuration and restart the server, or leave out "
                    "\"oml_async_flag\".");
    const RawArguments& arguments = request.arguments;
    const std::string settings = array_text(request.settings);
    Parameter pickled = Parameter::bytes(request.pickled);
    pickled.is_null = request.pickled.empty();
    const std::vector<Row> rows = execute_sql(
        kInsertJob,
        {std::int64_t{GetUserId()}, request.retries, request.timeout_seconds, settings,
         static_cast<std::int64_t>(request.function), arguments.input_name, arguments.parameters,
         optional_parameter(arguments.row_count), arguments.group_columns, arguments.order_columns,
         optional_parameter(arguments.times), arguments.script_name, arguments.script_owner,
         arguments.environment, needs_login() ? "true" : "false", request.source, pickled,
         request.is_by_untrusted ? "true" : "false"});
    announce_at_commit(GetUserId());
    return job_id(rows.front().front().value_or(""));
}

JobRecord find_job(const JobId& id, bool is_latest) {
    const Oid user = GetUserId();
    const bool is_super = pg::guarded([]() noexcept { return superuser(); });
    const std::vector<Row> rows =
        execute_sql(kFindJob, {id.text, std::int64_t{user}, is_super ? "true" : "false"},
                    is_latest ? Visibility::kLatest : Visibility::kTransaction);
    if (rows.empty())
        throw Error(sqlstate::kUndefinedObject,
                    "job \"" + std::string(id.text) + "\" does not exist");
    const Row& row = rows.front();
    ClaimedJob job = read_job(row);
    JobRecord record;
    record.id = job.id;
    record.owner = job.owner;
    record.request = std::move(job.request);
    record.state = row[kRequestColumns].value_or("");
    record.is_trusted = row[kRequestColumns + 1] == "t";
    record.error = read_error(row[kRequestColumns + 2]);
    const auto writer = static_cast<TransactionId>(number_of(row[kRequestColumns + 3]));
    record.is_own_change = TransactionIdIsCurrentTransactionId(writer);
    return record;
}

bool delete_job(const JobId& id) {
    (void)find_job(id);
    stop_at_commit(id);
    if (!lock_soon(id)) {
        defer_change(id, "deleted", std::nullopt);
        return true;
    }
    return !execute_sql(kDeleteJob, {id.text}).empty();
}

bool cancel_job(const JobId& id) {
    const bool has_ended = !find_job(id).is_pending();
    ErrorReport error;
    error.sqlstate = sqlstate::kQueryCanceled;
    error.message = "job was cancelled";
    if (has_ended) return false;
    stop_at_commit(id);
    if (!lock_soon(id)) {
        defer_change(id, "cancelled", error_text(error));
        return true;
    }
    return !execute_sql(kCancelJob, {id.text, error_text(error)}).empty();
}

std::vector<StoredCall> stored_calls(const JobId& id) {
    std::vector<StoredCall> calls;
    for (const Row& row : execute_sql(kStoredCalls, {id.text}))
        calls.push_back({number_of(row[0]), row[1], number_of(row[2]), number_of(row[3])});
    return calls;
}

}  // namespace epe::jobs
