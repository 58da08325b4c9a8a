// pyqsys.apply and pyqsys.submit, which package oml calls. They run stored scripts, and scripts
// that are part of the call, with pickled arguments: synchronously, with results pickled or in the
// columns of a row type; or as a job.
#include "entry/apply_function.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/request/request.h"
#include "entry/job_submission.h"
#include "entry/planned_calls.h"
#include "entry/run_request.h"
#include "pg/boundary/function_call.h"
#include "pg/output/result_target.h"

namespace {

using epe::EvalFunction;

/// Positions of the arguments of pyqsys.apply after the first two, and of pyqsys.submit from the
/// second on.
enum Argument : std::uint8_t {
    kScriptName,
    kScriptOwner,
    kSource,
    kParameters,
    kPickled,
    kInputName,
    kRowCount,
    kGroupColumns,
    kOrderColumns,
    kTimes,
    kEnvironment,
    kOnlyTrusted,
    kProgress,
};
constexpr int kCut = 0;
constexpr int kOutputRow = 1;
constexpr int kApplyFirst = 2;
constexpr int kSubmitFirst = 1;

EvalFunction function_of(const std::string& cut) {
    static constexpr std::array<std::pair<std::string_view, EvalFunction>, 5> kCuts{
        {{"eval", EvalFunction::kEval},
         {"table", EvalFunction::kTable},
         {"row", EvalFunction::kRow},
         {"group", EvalFunction::kGroup},
         {"index", EvalFunction::kIndex}}};
    const auto* found = std::find_if(kCuts.begin(), kCuts.end(),
                                     [&](const auto& entry) { return entry.first == cut; });
    if (found == kCuts.end())
        throw epe::Error(epe::sqlstate::kInvalidArgument, "unknown cut \"" + cut + "\"",
                         "Use eval, table, row, group or index.");
    return found->second;
}

epe::RawArguments read_arguments(const epe::pg::FunctionCall& call, int first) {
    epe::RawArguments raw;
    raw.input_name = call.text(first + kInputName);
    raw.parameters = call.text(first + kParameters);
    raw.row_count = call.int64(first + kRowCount);
    raw.group_columns = call.text(first + kGroupColumns);
    raw.order_columns = call.text(first + kOrderColumns);
    raw.times = call.int64(first + kTimes);
    raw.script_name = call.text(first + kScriptName);
    raw.script_owner = call.text(first + kScriptOwner);
    raw.environment = call.text(first + kEnvironment);
    return raw;
}

epe::Request read_request(const epe::pg::FunctionCall& call, int first,
                          const epe::RawArguments& raw) {
    epe::Request request = epe::make_request(function_of(call.text(kCut).value_or("")), raw);
    request.source = call.text(first + kSource);
    request.pickled = call.bytes(first + kPickled).value_or("");
    return request;
}

epe::pg::StartedCall start_apply(const epe::pg::FunctionCall& call, bool takes_all) {
    epe::Request request = read_request(call, kApplyFirst, read_arguments(call, kApplyFirst));
    if (request.controls.is_async)
        throw epe::Error(epe::sqlstate::kUnsupported, "pyqsys.apply cannot submit jobs",
                         "Call pyq_eval, pyq_table_eval, pyq_row_eval, pyq_group_eval or "
                         "pyq_index_eval with \"oml_async_flag\".");
    epe::pg::StartedCall started;
    started.target = epe::pg::ResultTarget::from_row_type(call, kOutputRow);
    started.target->match_by_position();
    const epe::RunRules rules{
        .only_trusted = call.boolean(kApplyFirst + kOnlyTrusted).value_or(false),
        .shows_progress = call.boolean(kApplyFirst + kProgress).value_or(false),
        .takes_all = takes_all};
    started.rows = epe::start_request(std::move(request), started.target->shape(), rules);
    return started;
}

epe::pg::CallProperties describe_apply(const epe::pg::FunctionCall& call) {
    const epe::Request request = read_request(call, kApplyFirst, read_arguments(call, kApplyFirst));
    return epe::describe_request(request,
                                 epe::pg::ResultTarget::from_row_type(call, kOutputRow).shape());
}

double estimate_apply(const epe::pg::FunctionCall& call) {
    return epe::estimate_rows(read_request(call, kApplyFirst, read_arguments(call, kApplyFirst)),
                              false);
}

}  // namespace

EPE_FUNCTION(epe_apply) { epe::return_rows(start_apply(call, /* takes_all */ true)); }

EPE_FUNCTION(epe_submit) {
    const epe::RawArguments raw = read_arguments(call, kSubmitFirst);
    call.return_text(epe::submit_request(read_request(call, kSubmitFirst, raw), raw));
}

namespace epe {

std::span<const pg::PlannedFunction> planned_apply_functions() noexcept {
    static constexpr pg::PlannedFunction kFunctions[] = {
        {epe_apply, start_apply, describe_apply, estimate_apply}};
    return kFunctions;
}

}  // namespace epe
