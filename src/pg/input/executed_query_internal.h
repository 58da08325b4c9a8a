// Runs the query of an input in the executor, or its scan in a HeapReader.
#pragma once

extern "C" {
#include "postgres.h"

#include "executor/execdesc.h"
#include "executor/spi.h"
#include "utils/tuplestore.h"
}

#include "pg/input/heap_reader_internal.h"
#include "pg/input/sorted_query_internal.h"

namespace epe::pg {

/// Starts the query, sorted or as it is, with the active snapshot, in the current memory context.
/// It is not a portal: its resources belong to the calling query, as in SQL functions, and a script
/// cannot close it. If `only_scan`, returns null for a plan that HeapReader cannot read. A leaf, as
/// all below.
QueryDesc* start_query(SPIPlanPtr plan, const SortedQuery* sorted, DestReceiver* destination,
                       bool only_scan) noexcept;

/// The planner's estimate of the rows of a query.
double estimated_rows(SPIPlanPtr plan) noexcept;

/// Up to `count` further rows; all of them, in one go, when 0 and `is_whole`.
void run_query(QueryDesc* query, std::uint64_t count, bool is_whole) noexcept;

/// The same, by pages; all rows when 0.
void read_heap(HeapReader* reader, QueryDesc* query, std::uint64_t count) noexcept;

void end_query(QueryDesc* query) noexcept;

/// The rows of a parallel query, which PostgreSQL runs in parallel only as a whole. Plain data.
struct Spool {
    Tuplestorestate* store;
    TupleTableSlot* slot;
};

/// Runs a query that has just been started, and ends it. Rows beyond work_mem go to a file.
Spool spool_query(QueryDesc* query) noexcept;
void read_spool(const Spool& spool, std::uint64_t count, DestReceiver* destination) noexcept;
void end_spool(const Spool& spool) noexcept;

}  // namespace epe::pg
