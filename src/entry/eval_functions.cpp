// The SQL functions that run scripts: pyq_eval and the other four eval functions.
#include <string>
#include <utility>

#include "core/request/request.h"
#include "entry/job_submission.h"
#include "entry/run_request.h"
#include "pg/boundary/function_call.h"
#include "pg/output/result_target.h"
#include "pg/types/column_map.h"

namespace {

using epe::EvalFunction;
using epe::pg::FunctionCall;
using epe::pg::ResultTarget;

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

/// out_fmt text, with an AS list.
void eval_by_format(const FunctionCall& call, const ArgumentOrder& order) {
    const epe::RawArguments raw = read_arguments(call, order);
    epe::Request request = epe::make_request(order.function, raw);
    const epe::OutputFormat format = epe::parse_output_format(call.text(order.output));
    if (request.controls.is_async) {
        (void)epe::pg::mapped_columns(format);  // validated now, used by pyq_job_result()
        epe::submit_job(call, request, raw);
        return;
    }
    epe::run_call(std::move(request), ResultTarget::from_format(call, format), {});
}

/// out_row anyelement.
void eval_by_row_type(const FunctionCall& call, const ArgumentOrder& order) {
    const epe::RawArguments raw = read_arguments(call, order);
    epe::Request request = epe::make_request(order.function, raw);
    if (request.controls.is_async) {
        epe::submit_job(call, request, raw);
        return;
    }
    epe::run_call(std::move(request), ResultTarget::from_row_type(call, order.output), {});
}

}  // namespace

// (par_lst, out_fmt | out_row, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_eval) { eval_by_format(call, kEval); }
EPE_FUNCTION(epe_eval_row) { eval_by_row_type(call, kEval); }

// (inp_nam, par_lst, out_fmt | out_row, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_table_eval) { eval_by_format(call, kTableEval); }
EPE_FUNCTION(epe_table_eval_row) { eval_by_row_type(call, kTableEval); }

// (inp_nam, par_lst, out_fmt | out_row, row_num, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_row_eval) { eval_by_format(call, kRowEval); }
EPE_FUNCTION(epe_row_eval_row) { eval_by_row_type(call, kRowEval); }

// (inp_nam, par_lst, out_fmt | out_row, grp_col, ord_col, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_group_eval) { eval_by_format(call, kGroupEval); }
EPE_FUNCTION(epe_group_eval_row) { eval_by_row_type(call, kGroupEval); }

// (par_lst, out_fmt | out_row, times_num, scr_name, scr_owner, env_name)
EPE_FUNCTION(epe_index_eval) { eval_by_format(call, kIndexEval); }
EPE_FUNCTION(epe_index_eval_row) { eval_by_row_type(call, kIndexEval); }
