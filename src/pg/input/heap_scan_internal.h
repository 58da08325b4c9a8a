// Sequential scans of heap tables by pages, for the versions of PostgreSQL.
#pragma once

extern "C" {
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "executor/execdesc.h"
#include "nodes/execnodes.h"
#include "pgstat.h"
#include "storage/bufpage.h"
}

namespace epe::pg {

/// Whether the executor collects statistics of the run of the query, as for EXPLAIN ANALYZE.
inline bool is_instrumented(const QueryDesc* query) noexcept {
#if PG_VERSION_NUM >= 190000
    return query->instrument_options != 0 || query->query_instr_options != 0;
#else
    return query->instrument_options != 0 || query->totaltime != nullptr;
#endif
}

/// The scan of a sequential scan node, which is begun if it has not been, as in the executor. A
/// leaf: takes the predicate lock of a serializable transaction.
inline HeapScanDesc begin_heap_scan(SeqScanState* node) noexcept {
    if (node->ss.ss_currentScanDesc == nullptr)
        node->ss.ss_currentScanDesc =
            table_beginscan(node->ss.ss_currentRelation, node->ss.ps.state->es_snapshot, 0, nullptr
#if PG_VERSION_NUM >= 190000
                            ,
                            SO_NONE
#endif
            );
    if ((node->ss.ss_currentScanDesc->rs_flags & SO_ALLOW_PAGEMODE) == 0)
        elog(ERROR, "a sequential scan of relation %u does not read pages",
             RelationGetRelid(node->ss.ss_currentRelation));
    return reinterpret_cast<HeapScanDesc>(node->ss.ss_currentScanDesc);
}

/// Advances the scan to its next page with visible tuples; false at its end, after which it must
/// not be called again. A leaf.
///
/// heap_getnext() reads and pins the page, prunes it, finds the visible tuples and returns the
/// first of them. They are rs_vistuples[rs_cindex] and those after it; the scan is then set to the
/// last one, so that the next call continues with another page. Choice and order of the pages,
/// read-ahead, buffer strategy, interrupts and conflicts of serializable transactions are those of
/// every sequential scan.
inline bool next_heap_page(HeapScanDesc scan, std::size_t& first, std::size_t& end) noexcept {
    if (heap_getnext(reinterpret_cast<TableScanDesc>(scan), ForwardScanDirection) == nullptr)
        return false;
    first = static_cast<std::size_t>(scan->rs_cindex);
    end = static_cast<std::size_t>(scan->rs_ntuples);
    scan->rs_cindex = scan->rs_ntuples - 1;
    return true;
}

/// Asks the processor to load a page into its second-level cache, which has more loads under way
/// than the first touches of tuples would have.
inline void prefetch_page(Page page) noexcept {
    constexpr std::size_t kCacheLine = 64;
    for (std::size_t at = 0; at < BLCKSZ; at += kCacheLine) __builtin_prefetch(page + at, 0, 2);
}

/// Adds to the tuples that sequential scans of the table have read (pg_stat_all_tables), of which
/// next_heap_page() has counted the first of each page.
inline void count_read_tuples(Relation table, std::size_t count) noexcept {
#if PG_VERSION_NUM >= 160000
    if (pgstat_should_count_relation(table))
        table->pgstat_info->counts.tuples_returned += static_cast<PgStat_Counter>(count);
#elif PG_VERSION_NUM >= 150000
    if (pgstat_should_count_relation(table))
        table->pgstat_info->t_counts.t_tuples_returned += static_cast<PgStat_Counter>(count);
#else
    if (table->pgstat_info != nullptr)
        table->pgstat_info->t_counts.t_tuples_returned += static_cast<PgStat_Counter>(count);
#endif
}

}  // namespace epe::pg
