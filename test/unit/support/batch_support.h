// Batches and sources made by hand, for unit tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/ports.h"

namespace epe::test {

inline Field field(const char* name, Kind kind) { return {name, {kind}}; }

inline bool append_text(ColumnBuilder& builder, std::string_view text) {
    return builder.append_bytes(text.data(), text.size());
}

/// The text at a row of a bytes column, with or without dictionary; nullopt for NULL.
inline std::optional<std::string> text_at(const Column& column, std::int64_t row) {
    if (column.is_null(row)) return std::nullopt;
    const bool is_code = column.has_dictionary;
    const Column& texts = is_code ? column.children.front() : column;
    const std::int64_t at = is_code ? column.values.as<std::int32_t>()[row] : row;
    return std::string(texts.bytes_at(at), static_cast<std::size_t>(texts.bytes_length(at)));
}

template <typename T>
std::optional<T> value_at(const Column& column, std::int64_t row) {
    if (column.is_null(row)) return std::nullopt;
    return column.values.as<T>()[row];
}

/// The invariants of batch.h for every column: sizes of buffers, NULL bits, ascending offsets.
inline void expect_consistent(const Column& column) {
    const auto rows = static_cast<std::size_t>(column.length);
    std::int64_t nulls = 0;
    for (std::int64_t row = 0; row < column.length; ++row) nulls += column.is_null(row) ? 1 : 0;
    EXPECT_EQ(nulls, column.null_count);
    if (column.type.kind == Kind::kNull) return;
    if (column.null_count == 0) {
        EXPECT_TRUE(column.validity.empty());
    } else {
        EXPECT_GE(column.validity.size(), (rows + 7) / 8);
    }
    const std::size_t width = column.has_dictionary ? 4 : fixed_width(column.type.kind);
    EXPECT_GE(column.values.size(), rows * width);
    const bool has_offsets =
        column.type.kind == Kind::kList || (is_bytes(column.type.kind) && !column.has_dictionary);
    if (has_offsets) {
        ASSERT_GE(column.offsets.size(), (rows + 1) * sizeof(std::int64_t));
        const auto* ends = column.offsets.as<std::int64_t>();
        EXPECT_EQ(ends[0], 0);
        for (std::size_t row = 0; row < rows; ++row) EXPECT_LE(ends[row], ends[row + 1]);
        if (is_bytes(column.type.kind)) {
            EXPECT_GE(column.values.size(), static_cast<std::size_t>(ends[rows]));
        } else {
            EXPECT_GE(column.children.at(0).length, ends[rows]);
        }
    }
    if (!column.shapes.empty()) {
        EXPECT_GE(column.shapes.size(), rows * sizeof(ListShape));
    }
    EXPECT_EQ(column.unusual != nullptr, column.unusual_count() > 0);
    for (std::int64_t i = 0; i < column.unusual_count(); ++i) {
        const std::int64_t row = column.unusual_rows.as<std::int64_t>()[i];
        EXPECT_LT(row, column.length);
        EXPECT_FALSE(column.is_null(row));
        EXPECT_EQ(column.unusual->length, column.unusual_count());
    }
    if (column.type.kind == Kind::kStruct) {
        for (const Column& child : column.children) EXPECT_EQ(child.length, column.length);
    }
    for (const Column& child : column.children) expect_consistent(child);
}

/// Numbers 0, 1, 2, ... in a column of int32, read like the rows of a query.
class CountingSource final : public InputSource {
   public:
    explicit CountingSource(std::int64_t rows) : rows_(rows) {}

    const Schema& schema() const override { return schema_; }
    std::int64_t read(BatchBuilder& into, std::int64_t max_rows) override {
        std::int64_t left = rows_ - next_;
        if (max_rows > 0) left = std::min(left, max_rows);
        if (most_at_once > 0) left = std::min(left, most_at_once);
        largest_step = std::max(largest_step, left);
        for (std::int64_t i = 0; i < left; ++i) append(into);
        return left;
    }
    void close() override {}

    std::int64_t most_at_once = 0;  ///< maximum rows per read; 0 for any number
    std::int64_t largest_step = 0;
    std::vector<std::int64_t> group_sizes{};  ///< of the groups "0", "1", ...
    std::int64_t omitted_every = 0;           ///< each row of such a number is omitted

   private:
    void append(BatchBuilder& into) {
        const std::int64_t row = next_++;
        if (!group_sizes.empty() && row == group_end_) {
            EXPECT_TRUE(into.start_group(std::to_string(group_)));
            group_end_ += group_sizes.at(group_++);
        }
        if (omitted_every > 0 && row % omitted_every == 0) return;
        if (into.options().as_matrix)
            *into.matrix_row() = static_cast<double>(row);
        else
            EXPECT_TRUE(into.column(0).append(static_cast<std::int32_t>(row)));
        into.end_row();
    }

    Schema schema_{field("n", Kind::kInt32)};
    std::int64_t rows_;
    std::int64_t next_ = 0;
    std::int64_t group_end_ = 0;
    std::size_t group_ = 0;
};

}  // namespace epe::test
