// Reads the tuples of sequential scans page by page, without tuple slots.
#include "pg/input/heap_reader_internal.h"

#include <algorithm>

#include "pg/boundary/boundary.h"
#include "pg/input/heap_scan_internal.h"

extern "C" {
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
}

namespace epe::pg {

namespace {

/// Whether a target list holds columns of the scanned table only: no system column, whole row or
/// expression.
bool are_columns(const List* targets, Index table) noexcept {
    if (targets == NIL) return false;
    ListCell* cell = nullptr;
    foreach (cell, targets) {
        const auto* target = static_cast<const TargetEntry*>(lfirst(cell));
        if (target->resjunk || !IsA(target->expr, Var)) return false;
        const auto* column = reinterpret_cast<const Var*>(target->expr);
        if (static_cast<Index>(column->varno) != table || column->varattno <= 0) return false;
    }
    return true;
}

/// A volatile qualification is evaluated row by row, while rows are passed on: by the executor.
bool is_readable_plan(const Plan* plan) noexcept {
    return IsA(plan, SeqScan) && !plan->parallel_aware && plan->initPlan == NIL &&
           are_columns(plan->targetlist, reinterpret_cast<const Scan*>(plan)->scanrelid) &&
           !contain_volatile_functions(reinterpret_cast<Node*>(plan->qual));
}

bool is_readable_append(const Plan* plan) noexcept {
    if (!IsA(plan, Append) || plan->parallel_aware || plan->initPlan != NIL) return false;
    ListCell* cell = nullptr;
    foreach (cell, reinterpret_cast<const Append*>(plan)->appendplans)
        if (!is_readable_plan(static_cast<const Plan*>(lfirst(cell)))) return false;
    return true;
}

bool is_readable_scan(const PlanState* state) noexcept {
    return IsA(state, SeqScanState) && state->subPlan == NIL &&
           reinterpret_cast<const ScanState*>(state)->ss_currentRelation->rd_tableam ==
               GetHeapamTableAmRoutine();
}

const AppendState* append_of(const QueryDesc* query) noexcept {
    if (!IsA(query->planstate, AppendState)) return nullptr;
    return reinterpret_cast<const AppendState*>(query->planstate);
}

}  // namespace

bool HeapReader::may_read(const PlannedStmt* plan) noexcept {
    return plan->rowMarks == NIL &&
           (is_readable_plan(plan->planTree) || is_readable_append(plan->planTree));
}

bool HeapReader::can_read(const QueryDesc* query) noexcept {
    if (is_instrumented(query) || !may_read(query->plannedstmt)) return false;
    const AppendState* append = append_of(query);
    if (append == nullptr) return is_readable_scan(query->planstate);
    // Partitions that only the run of the query excludes.
    if (append->as_prune_state != nullptr && append->as_prune_state->do_exec_prune) return false;
    for (int i = 0; i < append->as_nplans; ++i)
        if (!is_readable_scan(append->appendplans[i])) return false;
    return true;
}

HeapReader::HeapReader(QueryDesc* query, BatchReceiver& receiver)
    : query_(query), receiver_(receiver), collected_(MaxHeapTuplesPerPage),
      deformer_(static_cast<std::size_t>(query->tupDesc->natts)) {
    const auto add_table = [this](PlanState* state) {
        auto* node = reinterpret_cast<SeqScanState*>(state);
        std::vector<AttrNumber> columns;
        const List* targets = state->plan->targetlist;
        for (int i = 0; i < list_length(targets); ++i) {
            const auto* target = static_cast<const TargetEntry*>(list_nth(targets, i));
            columns.push_back(reinterpret_cast<const Var*>(target->expr)->varattno);
        }
        tables_.push_back(
            {node, TupleLayout(node->ss.ss_ScanTupleSlot->tts_tupleDescriptor, columns)});
    };
    const AppendState* append = append_of(query);
    if (append == nullptr) add_table(query->planstate);
    for (int i = 0; append != nullptr && i < append->as_nplans; ++i)
        add_table(append->appendplans[i]);
    guarded([query, destination = receiver.destination()]() noexcept {
        destination->rStartup(destination, CMD_SELECT, query->tupDesc);
        ereport(DEBUG2, (errmsg_internal("reading the input page by page")));
    });
}

void HeapReader::read_rows(std::uint64_t count) noexcept {
    MemoryContext caller = MemoryContextSwitchTo(query_->estate->es_query_cxt);
    if (count == 0) receiver_.expect_rows(estimate_rows());
    std::uint64_t left = count == 0 ? UINT64_MAX : count;
    while (left > 0 && !receiver_.is_stopped() && (next_ < end_ || load_page()))
        left -= read_page(left);
    MemoryContextSwitchTo(caller);
}

/// The planner's estimate, within the size of the tables.
std::int64_t HeapReader::estimate_rows() const noexcept {
    double most = 0;
    for (const TableScan& table : tables_)
        most += static_cast<double>(RelationGetNumberOfBlocks(table.node->ss.ss_currentRelation)) *
                MaxHeapTuplesPerPage;
    return static_cast<std::int64_t>(std::min(query_->plannedstmt->planTree->plan_rows, most));
}

/// False at the end of the last table.
bool HeapReader::load_page() noexcept {
    for (; current_ < tables_.size(); ++current_) {
        TableScan& table = tables_[current_];
        if (table.scan == nullptr) table.scan = begin_heap_scan(table.node);
        if (next_heap_page(table.scan, next_, end_)) {
            counted_ = 1;
            prefetch_page(BufferGetPage(table.scan->rs_cbuf));
            return true;
        }
    }
    return false;
}

/// Passes on at most that many rows of the page, and returns how many.
std::size_t HeapReader::read_page(std::uint64_t most) noexcept {
    const TableScan& table = tables_[current_];
    std::size_t next = collect(table, most);
    const ColumnValues* columns = deformer_.deform();
    if (columns == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED),
                 errmsg("block %u of table \"%s\" has a corrupt tuple", table.scan->rs_cblock,
                        RelationGetRelationName(table.node->ss.ss_currentRelation))));
    std::size_t taken = 0;
    if (deformer_.count() > 0) {
        taken = receiver_.receive_rows(columns, deformer_.count());
        if (taken < deformer_.count()) next = collected_[taken];
    }
    count_read_tuples(table.node->ss.ss_currentRelation, next - next_ - counted_);
    counted_ = 0;
    next_ = next;
    return taken;
}

/// Adds at most that many tuples that pass the qualification to the deformer, and returns where the
/// next ones begin.
std::size_t HeapReader::collect(const TableScan& table, std::uint64_t most) noexcept {
    deformer_.start(table.layout);
    const HeapScanDesc scan = table.scan;
    const Page page = BufferGetPage(scan->rs_cbuf);
    const bool is_qualified = table.node->ss.ps.qual != nullptr;
    std::size_t index = next_;
    HeapTupleData tuple{};
    tuple.t_tableOid = RelationGetRelid(table.node->ss.ss_currentRelation);
    for (; index < end_ && deformer_.count() < most; ++index) {
        const OffsetNumber number = scan->rs_vistuples[index];
        const ItemId item = PageGetItemId(page, number);
        if (is_qualified) {
            tuple.t_len = ItemIdGetLength(item);
            ItemPointerSet(&tuple.t_self, scan->rs_cblock, number);
            tuple.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
            if (!is_selected(table, &tuple)) continue;
        }
        collected_[deformer_.count()] = index;
        deformer_.add(page, item);
    }
    if (is_qualified) ExecClearTuple(table.node->ss.ss_ScanTupleSlot);
    return index;
}

bool HeapReader::is_selected(const TableScan& table, HeapTuple tuple) const noexcept {
    CHECK_FOR_INTERRUPTS();
    ExprContext* context = table.node->ss.ps.ps_ExprContext;
    TupleTableSlot* slot = table.node->ss.ss_ScanTupleSlot;
    ResetExprContext(context);
    ExecStoreBufferHeapTuple(tuple, slot, table.scan->rs_cbuf);
    context->ecxt_scantuple = slot;
    return ExecQual(table.node->ss.ps.qual, context);
}

}  // namespace epe::pg
