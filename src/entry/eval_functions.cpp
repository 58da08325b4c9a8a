// The SQL functions that run scripts: pyq_eval and the other four eval functions.
#include "entry/eval_functions.h"

#include <optional>
#include <string>
#include <utility>

#include "core/request/request.h"
#include "entry/job_submission.h"
#include "entry/planned_calls.h"
#include "entry/run_request.h"
#include "pg/boundary/function_call.h"
#include "pg/output/result_target.h"
#include "pg/types/column_map.h"

namespace {

using epe::EvalFunction;
using epe::pg::FunctionCall;
using epe::pg::ResultTarget;
using epe::pg::StartedCall;

/// Position of each argument (compatibility.md, SQL-2); -1 if the function does not take it.
struct ArgumentOrder {
    EvalFunction function;
    int input;
    int parameters;
    int output;  ///< out_fmt or out_row
    int row_count;
    int group_columns;
    int order_columns;
    int times;
    int script_name;  ///< scr_owner and env_name follow
};

constexpr ArgumentOrder kEval{EvalFunction::kEval, -1, 0, 1, -1, -1, -1, -1, 2};
constexpr ArgumentOrder kTableEval{EvalFunction::kTable, 0, 1, 2, -1, -1, -1, -1, 3};
constexpr ArgumentOrder kRowEval{EvalFunction::kRow, 0, 1, 2, 3, -1, -1, -1, 4};
constexpr ArgumentOrder kGroupEval{EvalFunction::kGroup, 0, 1, 2, -1, 3, 4, -1, 5};
constexpr ArgumentOrder kIndexEval{EvalFunction::kIndex, -1, 0, 1, -1, -1, -1, 2, 3};

epe::RawArguments read_arguments(const FunctionCall& call, const ArgumentOrder& order) {
    epe::RawArguments raw;
    if (order.input >= 0) raw.input_name = call.text(order.input);
    raw.parameters = call.text_or_jsonb(order.parameters);
    if (order.row_count >= 0) raw.row_count = call.int64(order.row_count);
    if (order.group_columns >= 0) raw.group_columns = call.text(order.group_columns);
    if (order.order_columns >= 0) raw.order_columns = call.text(order.order_columns);
    if (order.times >= 0) raw.times = call.int64(order.times);
    raw.script_name = call.text(order.script_name);
    raw.script_owner = call.text(order.script_name + 1);
    raw.environment = call.text(order.script_name + 2);
    return raw;
}

epe::pg::ResultTarget target_of(const FunctionCall& call, const ArgumentOrder& order,
                                const std::optional<epe::OutputFormat>& format) {
    return format ? ResultTarget::from_format(call, *format)
                  : ResultTarget::from_row_type(call, order.output);
}

/// Output: out_fmt text, with an AS list, or out_row anyelement.
enum class Output : std::uint8_t { kFormat, kRowType };

StartedCall start(const FunctionCall& call, const ArgumentOrder& order, Output output,
                  bool takes_all = true) {
    const epe::RawArguments raw = read_arguments(call, order);
    epe::Request request = epe::make_request(order.function, raw);
    std::optional<epe::OutputFormat> format;
    if (output == Output::kFormat) format = epe::parse_output_format(call.text(order.output));
    if (request.controls.is_async) {
        // Validated now, used by pyq_job_result().
        if (format) (void)epe::pg::mapped_columns(*format);
        epe::submit_job(call, request, raw);
        return {};
    }
    StartedCall started;
    started.target = target_of(call, order, format);
    started.rows =
        epe::start_request(std::move(request), started.target->shape(), {.takes_all = takes_all});
    return started;
}

template <const ArgumentOrder& kOrder, Output kOutput>
StartedCall start_planned(const FunctionCall& call, bool takes_all) {
    return start(call, kOrder, kOutput, takes_all);
}

template <const ArgumentOrder& kOrder, Output kOutput>
epe::pg::CallProperties describe_planned(const FunctionCall& call) {
    const epe::Request request = epe::make_request(kOrder.function, read_arguments(call, kOrder));
    std::optional<epe::OutputFormat> format;
    if (kOutput == Output::kFormat) format = epe::parse_output_format(call.text(kOrder.output));
    return epe::describe_request(request, target_of(call, kOrder, format).shape());
}

template <const ArgumentOrder& kOrder, Output kOutput>
double estimate_planned(const FunctionCall& call) {
    bool is_joined = false;
    if (kOutput == Output::kFormat) {
        const auto format = epe::parse_output_format(call.text(kOrder.output));
        is_joined = format.form == epe::OutputFormat::Form::kJson;
    }
    return epe::estimate_rows(epe::make_request(kOrder.function, read_arguments(call, kOrder)),
                              is_joined);
}

}  // namespace

// (par_lst, out_fmt | out_row, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_eval) { epe::return_rows(start(call, kEval, Output::kFormat)); }
EPE_FUNCTION(epe_eval_row) { epe::return_rows(start(call, kEval, Output::kRowType)); }

// (inp_nam, par_lst, out_fmt | out_row, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_table_eval) { epe::return_rows(start(call, kTableEval, Output::kFormat)); }
EPE_FUNCTION(epe_table_eval_row) { epe::return_rows(start(call, kTableEval, Output::kRowType)); }

// (inp_nam, par_lst, out_fmt | out_row, row_num, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_row_eval) { epe::return_rows(start(call, kRowEval, Output::kFormat)); }
EPE_FUNCTION(epe_row_eval_row) { epe::return_rows(start(call, kRowEval, Output::kRowType)); }

// (inp_nam, par_lst, out_fmt | out_row, grp_col, ord_col, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_group_eval) { epe::return_rows(start(call, kGroupEval, Output::kFormat)); }
EPE_FUNCTION(epe_group_eval_row) { epe::return_rows(start(call, kGroupEval, Output::kRowType)); }

// (par_lst, out_fmt | out_row, times_num, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_index_eval) { epe::return_rows(start(call, kIndexEval, Output::kFormat)); }
EPE_FUNCTION(epe_index_eval_row) { epe::return_rows(start(call, kIndexEval, Output::kRowType)); }

namespace epe {

namespace {

template <const ArgumentOrder& kOrder, Output kOutput>
constexpr pg::PlannedFunction planned(std::uintptr_t (*function)(FunctionCallInfoBaseData*)) {
    return {function, start_planned<kOrder, kOutput>, describe_planned<kOrder, kOutput>,
            estimate_planned<kOrder, kOutput>};
}

}  // namespace

std::span<const pg::PlannedFunction> planned_eval_functions() noexcept {
    static constexpr pg::PlannedFunction kFunctions[] = {
        planned<kEval, Output::kFormat>(epe_eval),
        planned<kEval, Output::kRowType>(epe_eval_row),
        planned<kTableEval, Output::kFormat>(epe_table_eval),
        planned<kTableEval, Output::kRowType>(epe_table_eval_row),
        planned<kRowEval, Output::kFormat>(epe_row_eval),
        planned<kRowEval, Output::kRowType>(epe_row_eval_row),
        planned<kGroupEval, Output::kFormat>(epe_group_eval),
        planned<kGroupEval, Output::kRowType>(epe_group_eval_row),
        planned<kIndexEval, Output::kFormat>(epe_index_eval),
        planned<kIndexEval, Output::kRowType>(epe_index_eval_row),
    };
    return kFunctions;
}

}  // namespace epe
