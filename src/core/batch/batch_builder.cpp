// Builds the batches of one source, row by row.
#include "core/batch/batch_builder.h"

#include <new>

namespace epe {

namespace {

/// Truncates a column to its first rows; its buffers may be longer.
void truncate(Column& column, std::int64_t rows) {
    column.length = rows;
    if (column.type.kind == Kind::kNull) {
        column.null_count = rows;  // it has no bits to count
    } else if (column.null_count > 0) {
        column.null_count = 0;
        std::int64_t nulls = 0;
        const auto* bits = column.validity.as<std::uint8_t>();
        for (std::int64_t row = 0; row < rows; ++row)
            nulls += (bits[row >> 3] >> (row & 7) & 1) == 0 ? 1 : 0;
        column.null_count = nulls;
        if (nulls == 0) column.validity.clear();
    }
    std::int64_t kept = 0;
    while (kept < column.unusual_count() && column.unusual_rows.as<std::int64_t>()[kept] < rows)
        ++kept;
    if (!column.unusual_rows.resize(static_cast<std::size_t>(kept) * sizeof(std::int64_t)))
        throw std::bad_alloc();
    if (kept == 0)
        column.unusual.reset();
    else
        truncate(*column.unusual, kept);
    if (column.type.kind == Kind::kStruct)
        for (Column& child : column.children) truncate(child, rows);
}

}  // namespace

BatchBuilder::BatchBuilder(const Schema& schema, BuildOptions options)
    : schema_(&schema), options_(options), group_names_(ColumnType{Kind::kText}, false) {
    if (options_.as_matrix) return;
    columns_.reserve(schema.size());
    for (const Field& field : schema) columns_.emplace_back(field.type, options.share_text);
}

std::size_t BatchBuilder::bytes() const noexcept {
    std::size_t total = matrix_.size();
    for (const ColumnBuilder& column : columns_) total += column.bytes();
    return total;
}

void BatchBuilder::reserve(std::int64_t rows) noexcept {
    for (ColumnBuilder& column : columns_) column.reserve(rows);
    if (!options_.as_matrix) return;
    const std::size_t row_size = schema_->size() * sizeof(double);
    (void)matrix_.reserve(matrix_.size() + static_cast<std::size_t>(rows) * row_size);
}

double* BatchBuilder::matrix_rows(std::size_t count) noexcept {
    const std::size_t at = matrix_.size();
    if (!matrix_.resize(at + count * schema_->size() * sizeof(double))) return nullptr;
    return reinterpret_cast<double*>(matrix_.data() + at);
}

bool BatchBuilder::start_group(std::string_view name) noexcept {
    return group_starts_.push(rows_) && group_names_.append_bytes(name.data(), name.size());
}

Batch BatchBuilder::finish() {
    Batch batch;
    batch.schema = schema_;
    batch.length = rows_;
    batch.is_matrix = options_.as_matrix;
    batch.matrix = std::move(matrix_);
    matrix_ = Buffer();
    batch.columns.reserve(columns_.size());
    for (ColumnBuilder& column : columns_) batch.columns.push_back(column.finish());
    const Column names = group_names_.finish();
    for (std::int64_t group = 0; group < names.length; ++group) {
        batch.group_starts.push_back(group_start(group));
        batch.group_names.emplace_back(names.bytes_at(group),
                                       static_cast<std::size_t>(names.bytes_length(group)));
    }
    group_starts_.clear();
    rows_ = 0;
    return batch;
}

Batch BatchBuilder::finish_before(std::int64_t row) {
    Batch head = finish();
    const std::int64_t rest = head.length - row;
    if (rest == 0 && (head.group_starts.empty() || head.group_starts.back() < row)) return head;
    bool is_done = true;
    if (head.is_matrix) {
        const std::size_t start = static_cast<std::size_t>(row) * schema_->size() * sizeof(double);
        is_done = matrix_.append(head.matrix.data() + start, head.matrix.size() - start) &&
                  head.matrix.resize(start);
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        is_done = is_done && columns_[i].append_rows(head.columns[i], row, rest);
        truncate(head.columns[i], row);
    }
    std::size_t kept = 0;
    while (kept < head.group_starts.size() && head.group_starts[kept] < row) ++kept;
    for (std::size_t i = kept; i < head.group_starts.size(); ++i) {
        rows_ = head.group_starts[i] - row;
        is_done = is_done && start_group(head.group_names[i]);
    }
    if (!is_done) throw std::bad_alloc();
    head.group_starts.resize(kept);
    head.group_names.resize(kept);
    head.length = row;
    rows_ = rest;
    return head;
}

}  // namespace epe
