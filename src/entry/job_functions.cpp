// The SQL functions of jobs.
#include "entry/job_functions.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/pipeline/call_stats.h"
#include "entry/job_result_replay.h"
#include "entry/job_submission.h"
#include "entry/planned_calls.h"
#include "jobs/job_attempt.h"
#include "jobs/session_store.h"
#include "jobs/wait.h"
#include "jobs/worker_slots.h"
#include "pg/backend/session.h"
#include "pg/boundary/function_call.h"
#include "pg/catalog/script_writer.h"
#include "pg/output/result_target.h"

namespace {

using epe::pg::FunctionCall;
using epe::pg::ResultTarget;
using epe::pg::StartedCall;

epe::jobs::JobId job_argument(const FunctionCall& call) {
    const auto text = call.text(0);
    if (!text)
        throw epe::Error(epe::sqlstate::kInvalidArgument, "argument \"job_id\" must not be null");
    return epe::jobs::parse_job_id(*text);
}

/// A finished job; throws for any other state.
epe::jobs::JobRecord finished_job(const FunctionCall& call) {
    epe::jobs::JobRecord job = epe::jobs::find_job(job_argument(call));
    if (job.is_pending())
        throw epe::Error(epe::sqlstate::kNotInState,
                         "job \"" + std::string(job.id.text) + "\" is still running",
                         "Wait for it with pyq_job_wait.");
    if (job.state != "finished") throw epe::Error(std::move(job.error));
    return job;
}

/// The caller will unpickle the stored results outside of an engine for stored results: allowed
/// under the rules of a synchronous call, for the role that submitted the job only.
void check_may_load(const epe::jobs::JobRecord& job, bool is_trusted_only) {
    const std::string subject = "the results of job \"" + std::string(job.id.text) + "\"";
    if (job.owner != epe::pg::current_role())
        throw epe::Error(epe::sqlstate::kInsufficientPrivilege,
                         subject + " may be unpickled by its owner only",
                         "Fetch them with pyq_job_result, which unpickles them in an engine.");
    if (is_trusted_only && !(job.is_trusted && epe::pg::is_trusted_owner(job.owner)))
        throw epe::Error(epe::sqlstate::kInsufficientPrivilege,
                         subject + " may not be unpickled in the server's process",
                         "Run the calling script in a process of its own: SET oml_epe.engine = "
                         "'process'.");
}

StartedCall start_replay(const epe::jobs::JobRecord& job, ResultTarget target, bool takes_all,
                         bool always_gives_row = false) {
    StartedCall started;
    started.target = std::move(target);
    started.rows = epe::start_replay(job, started.target->shape(), always_gives_row, takes_all);
    return started;
}

// (job_id, out_fmt)
StartedCall start_result(const FunctionCall& call, bool takes_all) {
    const epe::OutputFormat format = epe::parse_output_format(call.text(1));
    const epe::jobs::JobRecord job = finished_job(call);
    return start_replay(job, ResultTarget::from_format(call, format), takes_all);
}

// (job_id, out_row)
StartedCall start_result_row(const FunctionCall& call, bool takes_all) {
    const epe::jobs::JobRecord job = finished_job(call);
    return start_replay(job, ResultTarget::from_row_type(call, 1), takes_all);
}

// (job_id, out_row), for package oml
StartedCall start_rows(const FunctionCall& call, bool takes_all) {
    const epe::jobs::JobRecord job = finished_job(call);
    ResultTarget target = ResultTarget::from_row_type(call, 1);
    target.match_by_position();
    return start_replay(job, std::move(target), takes_all);
}

// (job_id)
StartedCall start_figures(const FunctionCall& call, bool takes_all) {
    const epe::jobs::JobRecord job = finished_job(call);
    const epe::OutputFormat format = epe::parse_output_format("PNG");
    return start_replay(job, ResultTarget::from_format(call, format), takes_all,
                        /* always_gives_row */ true);
}

/// EXPLAIN looks no job up.
epe::pg::CallProperties describe_result(const FunctionCall& call) {
    return {{"Function", "job_result"},
            {"Job", call.text(0).value_or("(known when the call runs)")}};
}

double estimate_result(const FunctionCall&) { return -1; }

}  // namespace

// (job_id)
EPE_FUNCTION(epe_job_status) {
    const epe::jobs::JobRecord job = epe::jobs::find_job(job_argument(call));
    call.return_text(job.is_pending() ? "job is still running"
                                      : epe::job_url(job.id.text) + "/result");
}

// (job_id)
EPE_FUNCTION(epe_delete_job) {
    (void)epe::jobs::delete_job(job_argument(call));
    call.return_text("job deleted successfully");
}

// (job_id)
EPE_FUNCTION(epe_cancel_job) { call.return_bool(epe::jobs::cancel_job(job_argument(call))); }

// (job_id, timeout interval)
EPE_FUNCTION(epe_job_wait) {
    const epe::jobs::JobId id = job_argument(call);
    call.return_text(epe::jobs::wait_for_job(id, call.milliseconds(1)));
}

// (job_id, out_fmt | out_row)
EPE_FUNCTION(epe_job_result) { epe::return_rows(start_result(call, /* takes_all */ true)); }
EPE_FUNCTION(epe_job_result_row) { epe::return_rows(start_result_row(call, /* takes_all */ true)); }
// (job_id, only_trusted)
EPE_FUNCTION(epe_finished_job) {
    const epe::jobs::JobRecord job = finished_job(call);
    check_may_load(job, call.boolean(1).value_or(false));
    call.return_text(job.id.text);
}

// (job_id, out_row)
EPE_FUNCTION(epe_job_rows) { epe::return_rows(start_rows(call, /* takes_all */ true)); }

// (job_id)
EPE_FUNCTION(epe_job_figures) { epe::return_rows(start_figures(call, /* takes_all */ true)); }

// ()
EPE_FUNCTION(epe_job_slots) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    int index = 0;
    epe::jobs::Progress progress{};
    while (epe::jobs::next_progress(index, progress)) {
        if (!epe::pg::is_current_role_or_superuser(progress.role)) continue;
        nlohmann::ordered_json row{{"id", progress.job.text}};
        if (progress.fraction >= 0) row["progress"] = progress.fraction;
        if (progress.comment[0] != '\0') row["comment"] = progress.comment;
        rows.push_back(std::move(row));
    }
    call.return_json(rows.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

// (fraction, note)
EPE_FUNCTION(epe_note_progress) { epe::jobs::report_progress(call.float64(0), call.text(1)); }

namespace epe {

std::span<const pg::PlannedFunction> planned_job_functions() noexcept {
    static constexpr pg::PlannedFunction kFunctions[] = {
        {epe_job_result, start_result, describe_result, estimate_result},
        {epe_job_result_row, start_result_row, describe_result, estimate_result},
        {epe_job_rows, start_rows, describe_result, estimate_result},
        {epe_job_figures, start_figures, describe_result, estimate_result}};
    return kFunctions;
}

}  // namespace epe
