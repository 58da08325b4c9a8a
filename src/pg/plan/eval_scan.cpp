// The executor's side of the plan node: rows are pulled from the running call.
#include "pg/plan/eval_scan_internal.h"

#include "pg/plan/eval_call_internal.h"
#include "pg/plan/eval_path_internal.h"
#include "pg/plan/eval_scan_explain_internal.h"
#include "pg/plan/rescans_internal.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"
}

namespace epe::pg {

namespace {

EvalScanState* state_of(CustomScanState* node) noexcept {
    return reinterpret_cast<EvalScanState*>(node);
}

// ----------------------------------------------------------------------------- initialization

/// The checks of a Function Scan: EXECUTE, and the hook that sees the execution of functions.
void check_may_execute(Oid function) noexcept {
#if PG_VERSION_NUM >= 160000
    const AclResult result =
        object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
#else
    const AclResult result = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#endif
    if (result != ACLCHECK_OK) aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
    InvokeFunctionExecuteHook(function);
}

/// The columns that the function declares now: those of its type may have changed since the query
/// was planned, which the comparison with the plan's columns reports.
TupleDesc declared_columns(FuncExpr* expression, const CustomScan* scan) noexcept {
    Oid type = InvalidOid;
    TupleDesc found = nullptr;
    switch (get_expr_result_type(reinterpret_cast<Node*>(expression), &type, &found)) {
        case TYPEFUNC_COMPOSITE:
        case TYPEFUNC_COMPOSITE_DOMAIN:
            return CreateTupleDescCopy(found);
        case TYPEFUNC_RECORD:
            return BuildDescFromLists(
                static_cast<List*>(list_nth(scan->custom_private, kColumnNames)),
                static_cast<List*>(list_nth(scan->custom_private, kColumnTypes)),
                static_cast<List*>(list_nth(scan->custom_private, kColumnModifiers)),
                static_cast<List*>(list_nth(scan->custom_private, kColumnCollations)));
        default: {
            const auto* column = static_cast<TargetEntry*>(linitial(scan->custom_scan_tlist));
            TupleDesc scalar = CreateTemplateTupleDesc(1);
            TupleDescInitEntry(scalar, 1, column->resname, type, -1, 0);
            TupleDescInitEntryCollation(scalar, 1,
                                        exprCollation(reinterpret_cast<Node*>(expression)));
            return scalar;
        }
    }
}

void check_columns(TupleDesc declared, TupleDesc planned) noexcept {
    bool fits = declared->natts <= planned->natts && planned->natts <= declared->natts + 1;
    for (int i = 0; fits && i < declared->natts; ++i) {
        const Form_pg_attribute column = TupleDescAttr(declared, i);
        fits = column->attisdropped || column->atttypid == TupleDescAttr(planned, i)->atttypid;
    }
    if (!fits)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("function return row and query-specified return row do not match")));
}

/// The descriptor of the whole row, which is the last column of the scan if it is used.
TupleDesc whole_row_descriptor(TupleDesc declared, TupleDesc planned,
                               const CustomScan* scan) noexcept {
    if (planned->natts == declared->natts) return nullptr;
    const Oid type = TupleDescAttr(planned, declared->natts)->atttypid;
    if (type != RECORDOID) {
        TupleDesc known = lookup_rowtype_tupdesc(getBaseType(type), -1);
        TupleDesc copy = CreateTupleDescCopy(known);
        ReleaseTupleDesc(known);
        return copy;
    }
    TupleDesc row = CreateTupleDescCopy(declared);
    // The names are those of the query: AS t(a, b).
    ListCell* cell = list_head(scan->custom_scan_tlist);
    for (int i = 0; i < row->natts; ++i) {
        namestrcpy(&TupleDescAttr(row, i)->attname,
                   static_cast<TargetEntry*>(lfirst(cell))->resname);
        cell = lnext(scan->custom_scan_tlist, cell);
    }
    row->tdtypeid = RECORDOID;
    row->tdtypmod = -1;
    return BlessTupleDesc(row);
}

void init_call(EvalScanState* state, FuncExpr* expression, EState* estate) noexcept {
    const auto count = static_cast<short>(list_length(expression->args));
    auto* info = static_cast<FmgrInfo*>(palloc0(sizeof(FmgrInfo)));
    fmgr_info_cxt(expression->funcid, info, estate->es_query_cxt);
    fmgr_info_set_expr(reinterpret_cast<Node*>(expression), info);
    auto* result = makeNode(ReturnSetInfo);
    state->expressions = CreateExprContext(estate);
    result->econtext = state->expressions;
    result->expectedDesc = state->descriptor;
    result->allowedModes = static_cast<int>(SFRM_Materialize);
    state->call = static_cast<FunctionCallInfo>(
        palloc0(SizeForFunctionCallInfo(static_cast<std::size_t>(count))));
    InitFunctionCallInfoData(*state->call, info, count, expression->inputcollid, nullptr,
                             reinterpret_cast<fmNodePtr>(result));
}

void begin_scan(CustomScanState* node, EState* estate, int eflags) {
    EvalScanState* state = state_of(node);
    auto* scan = reinterpret_cast<CustomScan*>(node->ss.ps.plan);
    auto* expression = static_cast<FuncExpr*>(linitial(scan->custom_exprs));
    check_may_execute(expression->funcid);
    state->function = find_planned_function(expression->funcid);
    if (state->function == nullptr)
        elog(ERROR, "function %u has changed since the query was planned", expression->funcid);
    state->arguments = ExecInitExprList(expression->args, &node->ss.ps);
    state->parameters = pull_paramids(reinterpret_cast<Expr*>(expression));
    TupleDesc planned = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
    state->descriptor = declared_columns(expression, scan);
    check_columns(state->descriptor, planned);
    state->row_descriptor = whole_row_descriptor(state->descriptor, planned, scan);
    state->keeps_rows = may_repeat_rows(node->ss.ps, state->parameters, eflags);
    init_call(state, expression, estate);
}

// ---------------------------------------------------------------------------------------- rows

void add_whole_row(EvalScanState* state, TupleTableSlot* slot) noexcept {
    if (state->row_descriptor == nullptr) return;
    MemoryContext caller = MemoryContextSwitchTo(state->expressions->ecxt_per_tuple_memory);
    if (state->writer != nullptr) MemoryContextSwitchTo(state->writer->row_context);
    HeapTuple tuple = heap_form_tuple(state->row_descriptor, slot->tts_values, slot->tts_isnull);
    const int column = state->descriptor->natts;
    slot->tts_values[column] = HeapTupleGetDatum(tuple);
    slot->tts_isnull[column] = false;
    MemoryContextSwitchTo(caller);
}

void keep_row(EvalScanState* state, TupleTableSlot* slot) noexcept {
    if (!state->keeps_rows) return;
    if (state->kept == nullptr) {
        MemoryContext caller = MemoryContextSwitchTo(state->node.ss.ps.state->es_query_cxt);
        state->kept = tuplestore_begin_heap(false, false, work_mem);
        tuplestore_set_eflags(state->kept, EXEC_FLAG_REWIND);
        state->kept_slot = MakeSingleTupleTableSlot(slot->tts_tupleDescriptor, &TTSOpsMinimalTuple);
        MemoryContextSwitchTo(caller);
    }
    tuplestore_puttupleslot(state->kept, slot);
}

TupleTableSlot* next_tuple(ScanState* scan) {
    auto* state = reinterpret_cast<EvalScanState*>(scan);
    TupleTableSlot* slot = scan->ss_ScanTupleSlot;
    ExecClearTuple(slot);
    if (state->is_repeating) {
        if (tuplestore_gettupleslot(state->kept, true, false, state->kept_slot)) {
            copy_row(slot, state->kept_slot);
            return ExecStoreVirtualTuple(slot);
        }
        state->is_repeating = false;
    }
    if (state->is_at_end) return slot;
    if (state->context == nullptr) start_call(state);
    if (!pull_row(state, slot)) {
        state->is_at_end = true;
        end_call(state);
        return slot;
    }
    add_whole_row(state, slot);
    ExecStoreVirtualTuple(slot);
    keep_row(state, slot);
    return slot;
}

bool accept_tuple(ScanState*, TupleTableSlot*) { return true; }

/// EvalPlanQual checks a row again with the row of this node that belonged to it. A node without
/// one is part of a subquery and runs as usual.
bool take_rechecked_row(ScanState* scan, bool* has_row) noexcept {
    EPQState* recheck = scan->ps.state->es_epq_active;
    const auto* plan = reinterpret_cast<CustomScan*>(scan->ps.plan);
    const int relation = bms_next_member(plan->custom_relids, -1);
    if (relation < 1 || recheck->relsubs_rowmark == nullptr) return false;
    if (recheck->relsubs_rowmark[relation - 1] == nullptr) return false;
    *has_row = false;
    if (recheck->relsubs_done[relation - 1]) return true;
    recheck->relsubs_done[relation - 1] = true;
    auto* state = reinterpret_cast<EvalScanState*>(scan);
    TupleTableSlot* row = MakeSingleTupleTableSlot(state->descriptor, &TTSOpsVirtual);
    if (EvalPlanQualFetchRowMark(recheck, static_cast<Index>(relation), row)) {
        copy_row(scan->ss_ScanTupleSlot, row);
        add_whole_row(state, scan->ss_ScanTupleSlot);
        ExecStoreVirtualTuple(scan->ss_ScanTupleSlot);
        ExecMaterializeSlot(scan->ss_ScanTupleSlot);
        *has_row = true;
    }
    ExecDropSingleTupleTableSlot(row);
    return true;
}

bool passes_filter(ScanState* scan) noexcept {
    ExprContext* context = scan->ps.ps_ExprContext;
    ResetExprContext(context);
    context->ecxt_scantuple = scan->ss_ScanTupleSlot;
    return scan->ps.qual == nullptr || ExecQual(scan->ps.qual, context);
}

TupleTableSlot* project_row(ScanState* scan) noexcept {
    return scan->ps.ps_ProjInfo != nullptr ? ExecProject(scan->ps.ps_ProjInfo)
                                           : scan->ss_ScanTupleSlot;
}

TupleTableSlot* exec_scan(CustomScanState* node) {
    ScanState* scan = &node->ss;
    if (scan->ps.state->es_epq_active == nullptr) return ExecScan(scan, next_tuple, accept_tuple);
    bool has_row = false;
    if (take_rechecked_row(scan, &has_row))
        return has_row && passes_filter(scan) ? project_row(scan) : nullptr;
    while (true) {
        const TupleTableSlot* slot = next_tuple(scan);
        if (TupIsNull(slot)) return nullptr;
        if (passes_filter(scan)) return project_row(scan);
    }
}

// ------------------------------------------------------------------------------ end and rescan

void forget_kept_rows(EvalScanState* state) noexcept {
    if (state->kept == nullptr) return;
    ExecDropSingleTupleTableSlot(state->kept_slot);
    tuplestore_end(state->kept);
    state->kept = nullptr;
    state->is_repeating = false;
}

void end_scan(CustomScanState* node) {
    EvalScanState* state = state_of(node);
    end_call(state);
    forget_kept_rows(state);
}

/// Without a change of its arguments the node returns the same rows again: first those that it has
/// returned, then the rest of the running call.
void rescan(CustomScanState* node) {
    EvalScanState* state = state_of(node);
    ExecScanReScan(&node->ss);
    if (state->keeps_rows && !bms_overlap(node->ss.ps.chgParam, state->parameters)) {
        state->is_repeating = state->kept != nullptr;
        if (state->is_repeating) tuplestore_rescan(state->kept);
        return;
    }
    end_call(state);
    forget_kept_rows(state);
    state->is_at_end = false;
}

CustomExecMethods exec_methods() noexcept {
    CustomExecMethods methods{};
    methods.CustomName = kNodeName;
    methods.BeginCustomScan = begin_scan;
    methods.ExecCustomScan = exec_scan;
    methods.EndCustomScan = end_scan;
    methods.ReScanCustomScan = rescan;
    methods.ExplainCustomScan = explain_eval_scan;
    return methods;
}

const CustomExecMethods kExecMethods = exec_methods();

Node* create_state(CustomScan*) {
    auto* state = static_cast<EvalScanState*>(palloc0(sizeof(EvalScanState)));
    state->node.ss.ps.type = T_CustomScanState;
    state->node.methods = &kExecMethods;
    return reinterpret_cast<Node*>(state);
}

}  // namespace

const CustomScanMethods* scan_methods() noexcept {
    static constexpr CustomScanMethods kMethods{kNodeName, create_state};
    return &kMethods;
}

}  // namespace epe::pg
