// Builds the batches of one source, row by row.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/batch/batch.h"
#include "core/batch/column_builder.h"

namespace epe {

/// How a batch under construction is laid out.
struct BuildOptions {
    bool as_matrix = false;        ///< all columns numeric: one block of doubles, row by row
    bool share_text = true;        ///< dictionary-encode text columns of few distinct values
    bool omit_incomplete = false;  ///< the source omits rows with a NULL or a NaN
    /// the source stops reading once this size is reached; 0: no limit
    std::size_t most_bytes = 0;
};

/// Builds the batches of one source, row by row: every column gets one value, then end_row().
class BatchBuilder {
   public:
    BatchBuilder(const Schema& schema, BuildOptions options);

    const Schema& schema() const noexcept { return *schema_; }
    const BuildOptions& options() const noexcept { return options_; }
    std::int64_t rows() const noexcept { return rows_; }
    std::size_t bytes() const noexcept;
    /// Whether the batch has reached the options' most_bytes.
    bool is_full() const noexcept {
        return options_.most_bytes > 0 && bytes() >= options_.most_bytes;
    }
    /// Allocates memory for rows to come, as far as their size is known. Only a hint.
    void reserve(std::int64_t rows) noexcept;
    ColumnBuilder& column(std::size_t index) noexcept { return columns_[index]; }
    /// Room for further rows of schema.size() doubles (matrix layout); null when memory is
    /// exhausted.
    double* matrix_row() noexcept { return matrix_rows(1); }
    double* matrix_rows(std::size_t count) noexcept;
    void end_row() noexcept { ++rows_; }
    void end_rows(std::int64_t count) noexcept { rows_ += count; }
    /// The row about to be built starts a group of this name.
    [[nodiscard]] bool start_group(std::string_view name) noexcept;
    std::int64_t group_count() const noexcept { return group_names_.length(); }
    std::int64_t group_start(std::int64_t group) const noexcept {
        return group_starts_.as<std::int64_t>()[group];
    }
    std::string_view group_name(std::int64_t group) const noexcept {
        return group_names_.text(group);
    }

    /// Everything built so far.
    Batch finish();
    /// Returns the rows before `row`, which begins a group (any row if there are no groups); the
    /// rest stays in the builder. Throws bad_alloc.
    Batch finish_before(std::int64_t row);

   private:
    const Schema* schema_;
    BuildOptions options_;
    std::int64_t rows_ = 0;
    std::vector<ColumnBuilder> columns_{};
    Buffer matrix_{};
    Buffer group_starts_{};
    ColumnBuilder group_names_;
};

}  // namespace epe
