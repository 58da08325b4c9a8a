// Submits a call as a job.
#include "entry/job_submission.h"

#include <string>

#include "core/batch/batch_builder.h"
#include "core/error.h"
#include "entry/run_request.h"
#include "jobs/session_settings.h"
#include "jobs/session_store.h"
#include "pg/backend/settings.h"
#include "pg/boundary/function_call.h"
#include "pg/input/query_source.h"
#include "pg/output/result_target.h"
#include "pg/output/tuplestore_sink.h"

namespace epe {

namespace {

std::int64_t timeout_of(const Controls& controls, const pg::JobSettings& settings) {
    if (!controls.timeout) return settings.timeout_seconds;
    if (*controls.timeout >= settings.least_timeout &&
        *controls.timeout <= settings.largest_timeout)
        return *controls.timeout;
    throw Error(sqlstate::kInvalidArgument,
                "timeout " + std::to_string(*controls.timeout) + " s is out of range",
                "Give a number of seconds from " + std::to_string(settings.least_timeout) + " to " +
                    std::to_string(settings.largest_timeout) + ".");
}

void give_text(const pg::ResultTarget& target, const std::string& text) {
    BatchBuilder builder(target.shape().columns, BuildOptions{});
    if (!builder.column(0).append_bytes(text.data(), text.size())) throw std::bad_alloc();
    builder.end_row();
    CallResult result;
    result.call_number = 1;
    result.batch = builder.finish();
    pg::TuplestoreSink rows(target);
    rows.add(std::move(result));
    rows.close();
}

jobs::JobId submit(const Request& request, const RawArguments& raw) {
    jobs::JobRequest job;
    job.function = request.function;
    job.arguments = raw;
    job.source = request.source;
    job.pickled = request.pickled;
    job.is_by_untrusted = is_in_untrusted_run();
    job.timeout_seconds = timeout_of(request.controls, pg::job_settings());
    job.retries = request.controls.retries;
    check_request(request);
    job.settings = jobs::session_settings();
    return jobs::submit_job(job);
}

}  // namespace

std::string job_url(const char* id) {
    std::string url = pg::job_settings().gateway_url;
    while (url.ends_with('/')) url.pop_back();
    return url + "/oml/api/py-scripts/v1/jobs/" + id;
}

std::string submit_request(const Request& request, const RawArguments& raw) {
    if (request.input && pg::reads_temporary_tables(request))
        throw Error(sqlstate::kUnsupported, "a job cannot read temporary tables of this session",
                    "Store the rows in a table, with oml.create() for example.");
    return submit(request, raw).text;
}

void submit_job(const pg::FunctionCall& call, const Request& request, const RawArguments& raw) {
    const auto target = pg::ResultTarget::for_value(call);
    give_text(target, job_url(submit(request, raw).text));
}

}  // namespace epe
