// The execution state of the plan node, and one call of its function.
#pragma once

extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "nodes/execnodes.h"
#include "utils/tuplestore.h"
}

#include "core/pipeline/call_stats.h"
#include "pg/output/row_writer_internal.h"
#include "pg/plan/eval_path_internal.h"

namespace epe::pg {

/// The C++ objects of a running call.
struct LiveCall {
    StartedCall started{};
    CallResult result{};  ///< whose rows are being returned
};

/// Allocated by PostgreSQL; plain data. What belongs to one call, of which rescans start further
/// ones, lives in `context`, whose reset callback destroys `live`: so an error that ends the query
/// abandons the call.
struct EvalScanState {
    CustomScanState node;  // first, as PostgreSQL requires

    // For all calls of the node.
    const PlannedFunction* function;
    FunctionCallInfo call;
    List* arguments;  ///< of ExprState
    Bitmapset* parameters;
    TupleDesc descriptor;      ///< of the function's columns
    TupleDesc row_descriptor;  ///< of the whole row; null when it is not used
    ExprContext* expressions;  ///< of casts and of values; reset between calls
    bool keeps_rows;           ///< the plan may ask for the same rows again
    CallStats stats;           ///< of the calls so far
    std::int64_t calls_started;

    // For one call.
    MemoryContext context;
    MemoryContextCallback callback;
    LiveCall* live;
    RowWriter* writer;
    bool is_at_end;
    bool is_counted;            ///< its figures are in `stats`
    Tuplestorestate* returned;  ///< rows that the function has returned itself
    TupleTableSlot* returned_slot;
    Tuplestorestate* kept;  ///< rows of this call that were returned
    TupleTableSlot* kept_slot;
    bool is_repeating;  ///< rows are read from `kept`
};

// Leaves, which raise the errors of the call.

/// Evaluates the arguments and starts a call of the function.
void start_call(EvalScanState* state) noexcept;
/// Sets the columns of the slot to the next row of the call; false at the end.
bool pull_row(EvalScanState* state, TupleTableSlot* slot) noexcept;
/// Ends the call, if there is one: stops it when rows are left, and releases what it holds.
void end_call(EvalScanState* state) noexcept;
/// Adds the figures of a call that is still running, such as one below LIMIT, to `stats`.
void collect_stats(EvalScanState* state) noexcept;
/// Copies the columns of another slot.
void copy_row(TupleTableSlot* slot, TupleTableSlot* from) noexcept;

}  // namespace epe::pg
