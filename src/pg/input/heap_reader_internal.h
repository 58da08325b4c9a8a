// Reads the tuples of sequential scans page by page, without tuple slots.
#pragma once

extern "C" {
#include "postgres.h"

#include "access/heapam.h"
#include "executor/execdesc.h"
#include "nodes/execnodes.h"
}

#include <vector>

#include "pg/input/batch_receiver_internal.h"
#include "pg/input/page_deformer_internal.h"

namespace epe::pg {

/// Reads a started query that is a sequential scan of a heap table, or the concatenation of such
/// scans (a partitioned table): its target list holds columns only; it may have a qualification,
/// which the executor's expression evaluates. The scan itself, with its locks, snapshot, pruning,
/// statistics and interrupts, is PostgreSQL's; the tuples of a page are then read column by column
/// from the pinned page. ExecutorEnd() of the query ends the scan.
class HeapReader {
   public:
    /// Whether a plan may be such a scan. A leaf, as the next one.
    static bool may_read(const PlannedStmt* plan) noexcept;
    /// Whether a query that has been started is one, and not instrumented.
    static bool can_read(const QueryDesc* query) noexcept;

    /// Throws PgError.
    HeapReader(QueryDesc* query, BatchReceiver& receiver);
    HeapReader(const HeapReader&) = delete;
    HeapReader& operator=(const HeapReader&) = delete;

    /// Passes up to `count` further rows to the receiver, all when 0, until it stops. A leaf, to be
    /// run with the snapshot of the query as the active one.
    void read_rows(std::uint64_t count) noexcept;

   private:
    struct TableScan {
        SeqScanState* node;
        TupleLayout layout;
        HeapScanDesc scan = nullptr;
    };

    std::int64_t estimate_rows() const noexcept;
    bool load_page() noexcept;
    std::size_t read_page(std::uint64_t most) noexcept;
    std::size_t collect(const TableScan& table, std::uint64_t most) noexcept;
    bool is_selected(const TableScan& table, HeapTuple tuple) const noexcept;

    QueryDesc* query_;
    BatchReceiver& receiver_;
    std::vector<TableScan> tables_{};
    std::size_t current_ = 0;  // of them
    // Of the visible tuples of the page: the next one, their number, how many of those to come
    // have been counted, and those in the deformer.
    std::size_t next_ = 0;
    std::size_t end_ = 0;
    std::size_t counted_ = 0;
    std::vector<std::size_t> collected_;
    PageDeformer deformer_;
};

}  // namespace epe::pg
