// One call of the plan node's function: started, pulled row by row, ended.
#include "pg/plan/eval_call_internal.h"

#include <algorithm>

#include "pg/boundary/function_call.h"
#include "pg/boundary/raising.h"

extern "C" {
#include "executor/executor.h"
#include "pgstat.h"
#include "utils/memutils.h"
}

namespace epe::pg {

namespace {

void add_stats(CallStats& sum, const CallStats& stats) noexcept {
    sum.total += stats.total;
    sum.scan += stats.scan;
    sum.engine.convert += stats.engine.convert;
    sum.engine.python += stats.engine.python;
    sum.wait += stats.wait;
    sum.emit += stats.emit;
    sum.rows_in += stats.rows_in;
    sum.rows_out += stats.rows_out;
    sum.calls += stats.calls;
    sum.engines = std::max(sum.engines, stats.engines);
}

void delete_live_call(void* argument) noexcept {
    auto* state = static_cast<EvalScanState*>(argument);
    const std::unique_ptr<LiveCall> live(state->live);
    state->live = nullptr;
}

/// Returns the memory context of the caller.
MemoryContext enter_call(EvalScanState* state) noexcept {
    return MemoryContextSwitchTo(state->context);
}

void evaluate_arguments(EvalScanState* state) noexcept {
    ExprContext* context = state->node.ss.ps.ps_ExprContext;
    int position = 0;
    ListCell* cell = nullptr;
    foreach (cell, state->arguments) {
        NullableDatum& argument = state->call->args[position++];
        argument.value =
            ExecEvalExpr(static_cast<ExprState*>(lfirst(cell)), context, &argument.isnull);
    }
}

/// Adds the script and its call to the context of an error while rows are converted.
void describe_call(void* argument) {
    const auto* state = static_cast<const EvalScanState*>(argument);
    const char* text = nullptr;
    try {
        ErrorReport report;
        state->live->started.rows->add_place(report);
        text = pstrdup(report.context.c_str());
    } catch (const std::exception&) {
        return;
    }
    errcontext("%s", text);
}

/// Prepares the conversion of the piece's rows.
void begin_piece(EvalScanState* state) noexcept {
    ErrorContextCallback place{error_context_stack, describe_call, state};
    error_context_stack = &place;
    begin_rows(state->writer, {&state->live->result.batch, state->live->result.first_row});
    error_context_stack = place.previous;
}

/// Takes the next piece of the result; false at the end.
bool take_piece(EvalScanState* state) noexcept {
    MemoryContext caller = enter_call(state);
    bool has_piece = false;
    PgStat_FunctionCallUsage usage;
    pgstat_init_function_usage(state->call, &usage);
    raising([&has_piece, state] {
        LiveCall& live = *state->live;
        has_piece = live.started.rows->next(live.result);
    });
    pgstat_end_function_usage(&usage, !has_piece);
    if (has_piece) begin_piece(state);
    MemoryContextSwitchTo(caller);
    return has_piece;
}

bool convert_row(EvalScanState* state) noexcept {
    ErrorContextCallback place{error_context_stack, describe_call, state};
    error_context_stack = &place;
    const bool has_row = next_row(state->writer);
    error_context_stack = place.previous;
    return has_row;
}

bool read_returned(EvalScanState* state, TupleTableSlot* slot) noexcept {
    if (state->returned_slot == nullptr) {
        MemoryContext caller = enter_call(state);
        state->returned_slot = MakeSingleTupleTableSlot(state->descriptor, &TTSOpsMinimalTuple);
        MemoryContextSwitchTo(caller);
    }
    if (!tuplestore_gettupleslot(state->returned, true, false, state->returned_slot)) return false;
    copy_row(slot, state->returned_slot);
    return true;
}

}  // namespace

void start_call(EvalScanState* state) noexcept {
    EState* estate = state->node.ss.ps.state;
    state->context =
        AllocSetContextCreate(estate->es_query_cxt, "oml_epe call", ALLOCSET_DEFAULT_SIZES);
    state->callback.func = delete_live_call;
    state->callback.arg = state;
    MemoryContextRegisterResetCallback(state->context, &state->callback);
    MemoryContext caller = enter_call(state);
    evaluate_arguments(state);
    auto* result = reinterpret_cast<ReturnSetInfo*>(state->call->resultinfo);
    result->returnMode = SFRM_ValuePerCall;
    result->isDone = ExprSingleResult;
    result->setResult = nullptr;
    result->setDesc = nullptr;
    TupleTableSlot* slot = state->node.ss.ss_ScanTupleSlot;
    PgStat_FunctionCallUsage usage;
    pgstat_init_function_usage(state->call, &usage);
    raising([=] {
        state->live = std::make_unique<LiveCall>().release();
        state->live->started =
            state->function->start(FunctionCall(state->call), /* takes_all */ false);
        if (state->live->started.rows != nullptr)
            state->writer = make_row_writer(*state->live->started.target);
    });
    pgstat_end_function_usage(&usage, state->writer == nullptr);
    if (state->writer != nullptr) {  // rows are converted in the slot
        state->writer->values = slot->tts_values;
        state->writer->nulls = slot->tts_isnull;
        std::fill_n(slot->tts_isnull, slot->tts_tupleDescriptor->natts, true);
    }
    state->returned = result->setResult;
    state->is_at_end = state->is_counted = false;
    ++state->calls_started;
    MemoryContextSwitchTo(caller);
}

bool pull_row(EvalScanState* state, TupleTableSlot* slot) noexcept {
    if (state->returned != nullptr) return read_returned(state, slot);
    while (state->writer != nullptr) {
        if (convert_row(state)) return true;
        if (!take_piece(state)) return false;
    }
    return false;
}

void collect_stats(EvalScanState* state) noexcept {
    if (state->live == nullptr || state->live->started.rows == nullptr || state->is_counted) return;
    raising([=] { add_stats(state->stats, state->live->started.rows->stats()); });
    state->is_counted = true;
}

void end_call(EvalScanState* state) noexcept {
    if (state->context == nullptr) return;
    if (state->live != nullptr && state->live->started.rows != nullptr) {
        MemoryContext caller = enter_call(state);
        const bool is_early = !state->is_at_end;
        if (is_early) raising([=] { state->live->started.rows->stop(); });
        collect_stats(state);
        MemoryContextSwitchTo(caller);
    }
    ExecClearTuple(state->node.ss.ss_ScanTupleSlot);
    if (state->writer != nullptr) free_row_writer(state->writer);
    state->writer = nullptr;
    if (state->returned != nullptr) {
        ExecDropSingleTupleTableSlot(state->returned_slot);
        tuplestore_end(state->returned);
        state->returned = nullptr;
        state->returned_slot = nullptr;
    }
    MemoryContext context = state->context;
    state->context = nullptr;
    MemoryContextDelete(context);  // and `live`
    ResetExprContext(state->expressions);
}

void copy_row(TupleTableSlot* slot, TupleTableSlot* from) noexcept {
    slot_getallattrs(from);
    const auto count = static_cast<std::size_t>(from->tts_tupleDescriptor->natts);
    std::copy_n(from->tts_values, count, slot->tts_values);
    std::copy_n(from->tts_isnull, count, slot->tts_isnull);
}

}  // namespace epe::pg
