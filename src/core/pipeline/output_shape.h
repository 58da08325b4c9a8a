// What a result must look like, as far as the engine needs to know it.
#pragma once

#include "core/batch/column_type.h"
#include "core/request/request.h"

namespace epe {

/// The columns that the caller asked for. The engine gives result batches of exactly these
/// columns, in this order; a column's type is what PostgreSQL wants in the end and guides the
/// conversion of Python objects, but a batch may hold any kind that the sink can cast to it.
/// JSON: (name, value) text. XML: the same. PNG: (name text, id int64, value text, title text,
/// image binary). Pickle: (call int64, name text, piece int64, data binary), a row for each piece
/// of a call's pickle. Stored: the same, to be replayed (src/py/runtime/pickles.py). For these five
/// `columns` is fixed.
struct OutputShape {
    OutputFormat::Form form = OutputFormat::Form::kRelational;
    Schema columns{};
    /// A lone unnamed column (out_row of a scalar type): matched by position, not by name.
    bool is_scalar = false;
    /// Results are matched to the columns by position, whatever their own columns are called.
    bool by_position = false;
    /// JSON, XML, PNG: most rows or items of what a call returns (oml_epe.output_limit); 0: any.
    std::int64_t most_items = 0;
    /// JSON, XML, PNG: most bytes of all rows together (oml_epe.output_bytes); relational: of each
    /// row, about; 0: any.
    std::int64_t most_bytes = 0;
    /// JSON: most bytes of a row, so that whoever reads it need not hold the whole
    /// (oml_epe.output_piece); 0: one row.
    std::int64_t piece_bytes = 0;
};

}  // namespace epe
