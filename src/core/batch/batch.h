// A Batch: some rows as columns, owned by one object and moved, never copied.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/batch/buffer.h"
#include "core/batch/column_type.h"

namespace epe {

inline constexpr int kMaxDimensions = 6;  // PostgreSQL's MAXDIM

/// The shape of one array value; dimensions is 0 for an empty array.
struct ListShape {
    std::int32_t dimensions;
    std::int32_t sizes[kMaxDimensions];
};

/// One column of a batch. `length` is authoritative: buffers may be longer.
///
/// NULLs: a clear bit in `validity` (LSB first), which is empty when null_count is 0. The value
/// under a NULL is 0, NaN for floats, INT64_MIN (numpy's NaT) for timestamps and intervals.
/// Unusual values (those that Python's own types cannot hold: infinite or far dates, 24:00,
/// intervals with months) are stored as PostgreSQL's text in `unusual`, for the ascending rows of
/// `unusual_rows`; the value slot of such a row is as under a NULL, the validity bit is set.
struct Column {
    ColumnType type{};
    std::int64_t length = 0;
    std::int64_t null_count = 0;
    Buffer validity{};
    Buffer values{};   ///< fixed-width values, bytes, or int32 codes when has_dictionary
    Buffer offsets{};  ///< int64, length + 1: bytes and lists
    Buffer shapes{};   ///< one ListShape per row; empty when every list has at most one dimension
    std::vector<Column> children{};  ///< list element, struct fields, or the dictionary's texts
    bool has_dictionary = false;     ///< kText only: values are codes; NULL has code -1
    Buffer unusual_rows{};           ///< int64
    std::unique_ptr<Column> unusual{};

    bool is_null(std::int64_t row) const noexcept {
        if (null_count == 0) return false;
        if (validity.empty()) return true;  // kNull
        return (validity.as<std::uint8_t>()[row >> 3] >> (row & 7) & 1) == 0;
    }
    std::int64_t unusual_count() const noexcept {
        return static_cast<std::int64_t>(unusual_rows.size() / sizeof(std::int64_t));
    }
    /// Bytes of a value of a bytes kind (not of a dictionary column).
    const char* bytes_at(std::int64_t row) const noexcept {
        return values.as<char>() + offsets.as<std::int64_t>()[row];
    }
    std::int64_t bytes_length(std::int64_t row) const noexcept {
        const auto* ends = offsets.as<std::int64_t>();
        return ends[row + 1] - ends[row];
    }
};

/// Rows as columns. With a matrix, `columns` is empty and the rows are stored one after the other
/// as schema.size() doubles each (numpy's C order), NULL being NaN.
struct Batch {
    const Schema* schema = nullptr;  ///< borrowed: from the source, or the output shape
    std::int64_t length = 0;
    std::vector<Column> columns{};
    bool is_matrix = false;
    Buffer matrix{};
    /// Grouped sources: the row at which each group starts, and the group's name (the values of
    /// its keys as text, joined by "_", NULL read as "null").
    std::vector<std::int64_t> group_starts{};
    std::vector<std::string> group_names{};
};

/// Set bits among `count` bits of a bitmap (LSB first) from bit `first` on.
std::int64_t count_set_bits(const Buffer& bits, std::int64_t first, std::int64_t count) noexcept;

/// Approximate size of a batch in bytes.
std::size_t memory_size(const Batch& batch) noexcept;

/// Bytes of all texts and binary values, each counted as often as it occurs.
std::int64_t text_size(const Batch& batch) noexcept;

/// Approximate size of the largest row in bytes: texts, binary values and list contents.
std::int64_t largest_row(const Batch& batch);

/// Makes all `length` rows of `column` NULL.
Column null_column(std::int64_t length);

}  // namespace epe
