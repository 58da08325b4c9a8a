// Runs the query of an input in the executor, or its scan in a HeapReader.
#include "pg/input/executed_query_internal.h"

extern "C" {
#include "executor/executor.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
}

namespace epe::pg {

namespace {

/// The plan of a query, in the current memory context. If `only_scan`, null for one that HeapReader
/// cannot read.
PlannedStmt* planned_statement(SPIPlanPtr plan, const SortedQuery* sorted,
                               bool only_scan) noexcept {
    MemoryContext caller = CurrentMemoryContext;
    SPI_connect();
    if (sorted != nullptr) {
        const PlannedStmt* planned = plan_sorted_query(*sorted, plan);
        MemoryContextSwitchTo(caller);
        auto* statement = static_cast<PlannedStmt*>(copyObjectImpl(planned));
        SPI_finish();
        return statement;
    }
    CachedPlan* cached = SPI_plan_get_cached_plan(plan);
    if (cached == nullptr) elog(ERROR, "a prepared query has no plan");
    MemoryContextSwitchTo(caller);
    const auto* planned = static_cast<const PlannedStmt*>(linitial(cached->stmt_list));
    PlannedStmt* statement = nullptr;
    if (!only_scan || HeapReader::may_read(planned))
        statement = static_cast<PlannedStmt*>(copyObjectImpl(planned));
    release_plan(cached, /* is_saved */ true);
    SPI_finish();
    return statement;
}

/// The context of errors of a query that is read as a whole, the same as in SPI.
void describe_statement(void* query) noexcept {
    errcontext("SQL statement \"%s\"", static_cast<const QueryDesc*>(query)->sourceText);
}

ErrorContextCallback statement_context(QueryDesc* query) noexcept {
    return {error_context_stack, describe_statement, query};
}

}  // namespace

double estimated_rows(SPIPlanPtr plan) noexcept {
    return planned_statement(plan, nullptr, /* only_scan */ false)->planTree->plan_rows;
}

QueryDesc* start_query(SPIPlanPtr plan, const SortedQuery* sorted, DestReceiver* destination,
                       bool only_scan) noexcept {
    PlannedStmt* statement = planned_statement(plan, sorted, only_scan);
    if (statement == nullptr) return nullptr;
    const char* text =
        sorted != nullptr
            ? sorted->text
            : static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)))
                  ->query_string;
    QueryDesc* query = CreateQueryDesc(statement, pstrdup(text), GetActiveSnapshot(),
                                       InvalidSnapshot, destination, nullptr, nullptr, 0);
    ErrorContextCallback context = statement_context(query);
    if (only_scan) error_context_stack = &context;
    ExecutorStart(query, 0);
    error_context_stack = context.previous;
    return query;
}

void run_query(QueryDesc* query, std::uint64_t count, bool is_whole) noexcept {
    PushActiveSnapshot(query->snapshot);
#if PG_VERSION_NUM >= 180000
    (void)is_whole;
    ExecutorRun(query, ForwardScanDirection, count);
#else
    ExecutorRun(query, ForwardScanDirection, count, is_whole);
#endif
    PopActiveSnapshot();
}

void read_heap(HeapReader* reader, QueryDesc* query, std::uint64_t count) noexcept {
    ErrorContextCallback context = statement_context(query);
    if (count == 0) error_context_stack = &context;
    PushActiveSnapshot(query->snapshot);
    reader->read_rows(count);
    PopActiveSnapshot();
    error_context_stack = context.previous;
}

void end_query(QueryDesc* query) noexcept {
    ExecutorFinish(query);
    ExecutorEnd(query);
    FreeQueryDesc(query);
}

Spool spool_query(QueryDesc* query) noexcept {
    Spool spool{};
    spool.store = tuplestore_begin_heap(false, false, work_mem);
    spool.slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(query->tupDesc), &TTSOpsMinimalTuple);
    DestReceiver* destination = CreateTuplestoreDestReceiver();
    SetTuplestoreDestReceiverParams(destination, spool.store, CurrentMemoryContext, false, nullptr,
                                    nullptr);
    query->dest = destination;
    run_query(query, 0, true);
    destination->rDestroy(destination);
    end_query(query);
    return spool;
}

void read_spool(const Spool& spool, std::uint64_t count, DestReceiver* destination) noexcept {
    for (std::uint64_t row = 0; row < count; ++row) {
        if (!tuplestore_gettupleslot(spool.store, true, false, spool.slot)) break;
        if (!destination->receiveSlot(spool.slot, destination)) break;
        CHECK_FOR_INTERRUPTS();
    }
}

void end_spool(const Spool& spool) noexcept {
    ExecDropSingleTupleTableSlot(spool.slot);
    tuplestore_end(spool.store);
}

}  // namespace epe::pg
