// Conversions between rows of the tables and C++ values.
#include "jobs/job_rows.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "pg/boundary/encoding.h"

namespace epe::jobs {

namespace {

std::optional<std::int64_t> optional_number(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    return std::stoll(*text);
}

}  // namespace

JobId job_id(const std::string& text) {
    JobId id{};
    std::memcpy(id.text, text.c_str(), std::min(text.size(), sizeof(id.text) - 1));
    return id;
}

std::int64_t number_of(const std::optional<std::string>& text) {
    return text ? std::stoll(*text) : 0;
}

std::string error_text(const ErrorReport& error) {
    return array_text({error.sqlstate, pg::storable(error.message), pg::storable(error.detail),
                       pg::storable(error.hint), pg::storable(error.context)});
}

ErrorReport read_error(const std::optional<std::string>& text) {
    ErrorReport report;
    const std::vector<std::string> fields = array_elements(text.value_or("{}"));
    if (fields.size() != 5) return report;
    report.sqlstate = fields[0];
    report.message = fields[1];
    report.detail = fields[2];
    report.hint = fields[3];
    report.context = fields[4];
    return report;
}

ClaimedJob read_job(const Row& row) {
    ClaimedJob job;
    job.id = job_id(row[0].value_or(""));
    job.owner = static_cast<std::uint32_t>(number_of(row[1]));
    job.attempt = number_of(row[2]);
    JobRequest& request = job.request;
    request.retries = number_of(row[3]);
    request.timeout_seconds = number_of(row[4]);
    request.settings = array_elements(row[5].value_or("{}"));
    request.function = static_cast<EvalFunction>(number_of(row[6]));
    RawArguments& arguments = request.arguments;
    arguments.input_name = row[7];
    arguments.parameters = row[8];
    arguments.row_count = optional_number(row[9]);
    arguments.group_columns = row[10];
    arguments.order_columns = row[11];
    arguments.times = optional_number(row[12]);
    arguments.script_name = row[13];
    arguments.script_owner = row[14];
    arguments.environment = row[15];
    request.needs_login = row[16] == "t";
    request.source = row[17];
    request.is_by_untrusted = row[18] == "t";
    return job;
}

}  // namespace epe::jobs
