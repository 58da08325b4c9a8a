#include "job_row.h"

#include <array>
#include <cstdio>

#include "api_error.h"

namespace epe::gateway {
namespace {

constexpr const char* kColumns =
    "SELECT id, state, pg_catalog.to_char(submitted AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), "
    "pg_catalog.floor(extract(epoch FROM elapsed))::bigint, function, par_lst, progress, comment, "
    "error FROM ";
constexpr const char* kWithCalls = ".pyq_jobs JOIN pyqsys.job_calls USING (id) ";

std::string clock_text(std::int64_t seconds) {
    std::array<char, 32> text{};
    const int length = std::snprintf(
        text.data(), text.size(), "%02lld:%02lld:%02lld", static_cast<long long>(seconds / 3600),
        static_cast<long long>(seconds / 60 % 60), static_cast<long long>(seconds % 60));
    return {text.data(), static_cast<std::size_t>(length)};
}

RunKind kind_of(std::string_view function) {
    if (function == "table") return RunKind::kTable;
    if (function == "row") return RunKind::kRow;
    if (function == "group") return RunKind::kGroup;
    return function == "index" ? RunKind::kIndex : RunKind::kEval;
}

/// PAR_LST of a job that may have been submitted in SQL: treated as empty if it is not an object.
Json parameters_of(std::string_view par_lst) {
    Json parameters = Json::parse(par_lst, nullptr, false);
    return parameters.is_object() ? parameters : Json::object();
}

JobRow read_job(const QueryResult& rows, int row) {
    const auto text = [&](int column) -> std::optional<std::string> {
        if (rows.is_null(row, column)) return std::nullopt;
        return std::string(rows.value(row, column));
    };
    JobRow job;
    job.id = *text(0);
    job.state = *text(1);
    job.created = *text(2) + " UTC";
    job.elapsed = clock_text(std::stoll(text(3).value_or("0")));
    job.kind = kind_of(rows.value(row, 4));
    job.parameters = parameters_of(rows.value(row, 5));
    if (const auto progress = text(6)) job.progress = std::stod(*progress);
    job.comment = text(7);
    job.error = text(8);
    return job;
}

std::optional<JobRow> look_up_job(Lease& lease, const std::string& id, ClientWatch* watch) {
    const QueryResult rows =
        lease.query(kColumns + lease.schema() + kWithCalls + "WHERE id = $1::uuid", {id}, watch);
    if (rows.rows() == 0) return std::nullopt;
    return read_job(rows, 0);
}

[[noreturn]] void throw_unknown(Lease& lease, const std::string& id, ClientWatch* watch) {
    const QueryResult exists = lease.query("SELECT pyqsys.job_exists($1::uuid)", {id}, watch);
    const std::string job = "job \"" + id + "\"";
    if (exists.value(0, 0) == "t") throw ApiError(401, job + " belongs to another user");
    throw ApiError(500, job + " does not exist");
}

}  // namespace

JobRow find_job(Lease& lease, const std::string& id, ClientWatch* watch) {
    auto job = look_up_job(lease, id, watch);
    if (!job) throw_unknown(lease, id, watch);
    return std::move(*job);
}

JobRow look_again(Lease& lease, const JobRow& job, ClientWatch* watch) {
    if (auto found = look_up_job(lease, job.id, watch)) return std::move(*found);
    JobRow gone = job;
    gone.state = "deleted";
    return gone;
}

std::vector<JobRow> own_jobs(Lease& lease, ClientWatch* watch) {
    const QueryResult rows =
        lease.query(kColumns + lease.schema() + kWithCalls +
                        "WHERE owner = current_user ORDER BY submitted DESC, id",
                    {}, watch);
    std::vector<JobRow> jobs;
    jobs.reserve(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) jobs.push_back(read_job(rows, row));
    return jobs;
}

void add_progress(const JobRow& job, Json& object) {
    if (job.progress) object["progress"] = *job.progress;
    if (job.comment) object["comment"] = *job.comment;
}

}  // namespace epe::gateway
