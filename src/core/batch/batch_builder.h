// Builders that turn values, appended one by one, into the columns of a batch.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/batch/batch.h"

namespace epe {

/// How a batch under construction is laid out.
struct BuildOptions {
    bool as_matrix = false;        ///< all columns numeric: one block of doubles, row by row
    bool share_text = true;        ///< dictionary-encode text columns of few distinct values
    bool omit_incomplete = false;  ///< the source omits rows with a NULL or a NaN
    /// the source stops reading once this size is reached; 0: no limit
    std::size_t most_bytes = 0;
};

/// Collects distinct texts while reading; gives up early when there are too many.
class TextDictionary {
   public:
    /// Code of the text, or -1 when memory is exhausted, -2 when the dictionary gives up.
    std::int32_t encode(const char* text, std::size_t size, Column& distinct) noexcept;
    void clear() noexcept;

   private:
    bool rehash(std::size_t slots, const Column& distinct) noexcept;

    Buffer slots_{};   // int32 code + 1 per slot, 0 when free
    Buffer hashes_{};  // uint64 per code
    std::size_t mask_ = 0;
    std::int64_t encoded_ = 0;
};

/// Builds one column. Appending never throws: it returns false when memory is exhausted, because
/// it happens below PostgreSQL's executor.
class ColumnBuilder {
   public:
    ColumnBuilder(const ColumnType& type, bool share_text);

    std::int64_t length() const noexcept { return column_.length; }
    Kind kind() const noexcept { return column_.type.kind; }
    std::size_t bytes() const noexcept;
    /// A text appended before, of a bytes kind without dictionary.
    std::string_view text(std::int64_t row) const noexcept {
        return {column_.bytes_at(row), static_cast<std::size_t>(column_.bytes_length(row))};
    }

    [[nodiscard]] bool append_null() noexcept;
    /// Fixed-width kinds: T must have the size of the kind.
    template <typename T>
    [[nodiscard]] bool append(T value) noexcept {
        if (!column_.values.push(value)) return false;
        if (column_.null_count != 0 && !mark_valid()) return false;
        ++column_.length;
        return true;
    }
    [[nodiscard]] bool append_uuid(const void* bytes16) noexcept;
    [[nodiscard]] bool append_bytes(const char* bytes, std::size_t size) noexcept;
    /// A value that Python's own type cannot hold, as PostgreSQL prints it.
    [[nodiscard]] bool append_unusual(const char* text, std::size_t size) noexcept;
    /// Lists: the elements have been appended to child(0) before.
    [[nodiscard]] bool append_list(int dimensions, const std::int32_t* sizes) noexcept;
    /// Structs: every field has been appended to its child before.
    [[nodiscard]] bool append_struct() noexcept;
    ColumnBuilder& child(std::size_t index) noexcept { return children_[index]; }
    std::size_t child_count() const noexcept { return children_.size(); }

    /// Appends rows of a column of the same type, as finish() of another builder returned it.
    [[nodiscard]] bool append_rows(const Column& from, std::int64_t first,
                                   std::int64_t count) noexcept;
    /// Returns the built column; the builder is empty afterwards.
    Column finish();

   private:
    bool mark_valid() noexcept;
    bool mark_null() noexcept;
    bool append_empty_slot() noexcept;
    bool start_bytes() noexcept;
    bool leave_dictionary() noexcept;
    bool append_row(const Column& from, std::int64_t row) noexcept;
    bool append_list_row(const Column& from, std::int64_t row) noexcept;

    Column column_{};
    std::vector<ColumnBuilder> children_{};
    TextDictionary dictionary_{};
    bool share_text_ = false;
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
    ColumnBuilder& column(std::size_t index) noexcept { return columns_[index]; }
    /// Room for one row of schema.size() doubles (matrix layout); null when memory is exhausted.
    double* matrix_row() noexcept;
    void end_row() noexcept { ++rows_; }
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
