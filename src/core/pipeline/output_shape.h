// The required shape of a result, as far as the engine needs it.
#pragma once

#include "core/batch/column_type.h"
#include "core/request/request.h"

namespace epe {

/// The columns that the caller asked for. The engine returns result batches of exactly these
/// columns, in this order; a column's type is the final PostgreSQL type and guides the conversion
/// of Python objects, but a batch may hold any kind that the sink can cast to it.
/// JSON: (name, value) text. XML: the same. PNG: (name text, id int64, value text, title text,
/// image binary). Pickle: (call int64, name text, piece int64, data binary), one row per piece of a
/// call's pickle. Stored: the same, to be replayed (src/py/runtime/pickles.py). For these five
/// `columns` is fixed.
struct OutputShape {
    OutputFormat::Form form = OutputFormat::Form::kRelational;
    Schema columns{};
    /// A single unnamed column (out_row of a scalar type): matched by position, not by name.
    bool is_scalar = false;
    /// Results are matched to the columns by position; their own column names are ignored.
    bool by_position = false;
    /// JSON, XML, PNG: maximum rows or items per call result (oml_epe.output_limit); 0: no limit.
    std::int64_t most_items = 0;
    /// JSON, XML, PNG: maximum bytes of all rows together (oml_epe.output_bytes); relational: of
    /// each row, approximately; 0: no limit.
    std::int64_t most_bytes = 0;
    /// JSON: maximum bytes per row, so that readers need not hold the whole text
    /// (oml_epe.output_piece); 0: one row.
    std::int64_t piece_bytes = 0;
};

}  // namespace epe
