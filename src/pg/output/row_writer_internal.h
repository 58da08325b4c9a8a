// Converts the rows of result batches to tuples, for a tuplestore or one at a time.
#pragma once

#include "core/batch/batch.h"
#include "pg/output/cast_internal.h"
#include "pg/output/result_target.h"

extern "C" {
#include "utils/tuplestore.h"
}

namespace epe::pg {

/// Conversion state of one result column; palloc'ed, plain data.
struct WriterColumn {
    const char* name = nullptr;  ///< in the server's encoding; null for a scalar result
    int attribute = 0;
    ConversionTarget target{};
    Conversion* conversions = nullptr;       ///< made so far, the latest first
    const Conversion* conversion = nullptr;  ///< for the batch being written
    const Column* source = nullptr;
};

/// Rows of one call's result, all plain.
struct RowsToWrite {
    const Batch* batch = nullptr;
    std::int64_t first_row = 0;  ///< 0-based number of the batch's first row in the result
};

/// State of the row loop; palloc'ed, plain data. It lives in a memory context of its own below the
/// call's, which PostgreSQL releases after a failed call.
struct RowWriter {
    MemoryContext context = nullptr;
    MemoryContext row_context = nullptr;  ///< values; reset every few rows
    ExprContext* expressions = nullptr;
    TupleDesc descriptor = nullptr;
    Oid row_domain = InvalidOid;
    void* row_domain_cache = nullptr;
    int column_count = 0;
    WriterColumn* columns = nullptr;
    Datum* values = nullptr;
    bool* nulls = nullptr;
    RowsToWrite rows{};
    std::int64_t next_row = 0;        ///< in the batch
    std::int64_t reset_interval = 0;  ///< rows after which values are released
    std::int64_t rows_to_reset = 0;
    // The current position of the loop, for the context of errors.
    bool is_converting = false;
    const WriterColumn* column = nullptr;  ///< null when the error concerns the row, not one column
    std::int64_t row = 0;                  ///< 1-based, in the result of its call
};

/// Throws PgError.
RowWriter* make_row_writer(const ResultTarget& target);
/// A leaf. Errors name column and row.
void write_rows(RowWriter* writer, const RowsToWrite& rows, Tuplestorestate* store) noexcept;
/// Begins a batch, which must outlive its rows, for next_row(). A leaf.
void begin_rows(RowWriter* writer, const RowsToWrite& rows) noexcept;
/// Converts the next row into `values` and `nulls`, which are valid until the next call; false at
/// the end of the batch. A leaf. Errors name column and row.
bool next_row(RowWriter* writer) noexcept;
/// A leaf.
void free_row_writer(RowWriter* writer) noexcept;

}  // namespace epe::pg
