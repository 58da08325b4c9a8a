// Reads the rows of one table or query as columnar batches.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"

namespace epe::pg {

/// The input of a request: INP_NAM with the caller's rights, sorted by the group and order columns
/// if there are any. The request has an input. Needs an active snapshot: it reads the same rows as
/// the calling statement.
///
/// The query is analysed immediately. It starts with the first read(), in the memory context of
/// that call, which must live until close(). A builder with `most_bytes` ends a read early. Throws
/// PgError when the query fails, Error for bad names.
///
/// With `may_spool` a query whose plan is parallel runs as a whole into a tuplestore, from which
/// the rows are read: PostgreSQL starts no workers for a query that is run in steps.
std::unique_ptr<InputSource> open_query_source(const Request& request, bool may_spool = false);

/// The planner's estimate of the input of a request: its groups if it has group columns, else its
/// rows. Throws as open_query_source() does.
double estimated_input(const Request& request);

/// Whether the input of a request reads a temporary table or view.
bool reads_temporary_tables(const Request& request);

}  // namespace epe::pg
