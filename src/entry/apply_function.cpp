// pyqsys.apply: what the package oml calls. It runs stored scripts and ones that come with the
// call, with pickled arguments, and gives results pickled or in the columns of a row type.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/request/request.h"
#include "entry/run_request.h"
#include "pg/boundary/function_call.h"
#include "pg/output/result_target.h"

namespace {

using epe::EvalFunction;

/// The order of the arguments.
enum Argument : std::uint8_t {
    kCut,
    kOutputRow,
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

epe::Request read_request(const epe::pg::FunctionCall& call) {
    epe::RawArguments raw;
    raw.input_name = call.text(kInputName);
    raw.parameters = call.text(kParameters);
    raw.row_count = call.int64(kRowCount);
    raw.group_columns = call.text(kGroupColumns);
    raw.order_columns = call.text(kOrderColumns);
    raw.times = call.int64(kTimes);
    raw.script_name = call.text(kScriptName);
    raw.script_owner = call.text(kScriptOwner);
    raw.environment = call.text(kEnvironment);
    epe::Request request = epe::make_request(function_of(call.text(kCut).value_or("")), raw);
    if (request.controls.is_async)
        throw epe::Error(epe::sqlstate::kUnsupported, "pyqsys.apply submits no jobs",
                         "Call pyq_eval, pyq_table_eval, pyq_row_eval, pyq_group_eval or "
                         "pyq_index_eval with \"oml_async_flag\".");
    request.source = call.text(kSource);
    request.pickled = call.bytes(kPickled).value_or("");
    return request;
}

}  // namespace

EPE_FUNCTION(epe_apply) {
    const epe::Request request = read_request(call);
    auto target = epe::pg::ResultTarget::from_row_type(call, kOutputRow);
    target.match_by_position();
    epe::run_request(
        request, target,
        {call.boolean(kOnlyTrusted).value_or(false), call.boolean(kProgress).value_or(false)});
}
