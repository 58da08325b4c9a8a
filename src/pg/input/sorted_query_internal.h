// Sorts the rows of an analysed query, without a second analysis.
#pragma once

extern "C" {
#include "postgres.h"

#include "executor/spi.h"
}

#include <cstddef>

namespace epe::pg {

/// One column to sort by. Plain data.
struct SortKey {
    int column = 0;  ///< 0-based, in the result of the query
    SortByDir direction = SORTBY_DEFAULT;
    SortByNulls nulls = SORTBY_NULLS_DEFAULT;
    std::size_t from_end = 0;  ///< where the text of the sorted query names it, from its end
};

/// SELECT * FROM (query) AS input ORDER BY keys. Plain data in one memory context.
struct SortedQuery {
    Query* query;
    const char* text;  ///< of this statement, for messages; in the server's encoding
};

/// Adds a sort to a query after its analysis and rewrite, of which it takes a copy. A leaf.
/// Raises an ERROR, as of the statement `text`, when a column cannot be sorted.
SortedQuery* sort_query(const Query* query, const char* text, const SortKey* keys,
                        std::size_t count) noexcept;

/// Plans it, once, in the current memory context, which is that of SPI_connect(). A leaf. If what
/// the analysis of `unsorted` has found no longer holds, the text of the sorted query is analysed.
PlannedStmt* plan_sorted_query(const SortedQuery& sorted, SPIPlanPtr unsorted) noexcept;

/// Releases what SPI_plan_get_cached_plan() has returned for a plan that SPI_keepplan() has saved,
/// or for one that it has not. A leaf.
void release_plan(CachedPlan* plan, bool is_saved) noexcept;

}  // namespace epe::pg
