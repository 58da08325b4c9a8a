// A Batch: some rows as columns.
#include "core/batch/batch.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace epe {

std::int64_t count_set_bits(const Buffer& bits, std::int64_t first, std::int64_t count) noexcept {
    const auto* const bytes = bits.as<std::uint8_t>();
    const auto bit_at = [=](std::int64_t at) { return bytes[at >> 3] >> (at & 7) & 1; };
    const std::int64_t end = first + count;
    std::int64_t at = first;
    std::int64_t found = 0;
    for (; at < end && at % 8 != 0; ++at) found += bit_at(at);
    for (; end - at >= 64; at += 64) {
        std::uint64_t word;
        std::memcpy(&word, bytes + at / 8, sizeof(word));
        found += std::popcount(word);
    }
    for (; at < end; ++at) found += bit_at(at);
    return found;
}

namespace {

std::size_t size_of(const Column& column) noexcept {
    std::size_t size = sizeof(Column) + column.validity.size() + column.values.size() +
                       column.offsets.size() + column.shapes.size();
    for (const Column& child : column.children) size += size_of(child);
    return size;
}

}  // namespace

std::size_t memory_size(const Batch& batch) noexcept {
    std::size_t size = sizeof(Batch) + batch.matrix.size();
    for (const Column& column : batch.columns) size += size_of(column);
    return size;
}

std::int64_t text_size(const Batch& batch) noexcept {
    std::int64_t size = 0;
    for (const Column& column : batch.columns) {
        if (!column.has_dictionary) {
            if (!column.offsets.empty() && column.children.empty())
                size += static_cast<std::int64_t>(column.values.size());
            continue;
        }
        const auto* codes = column.values.as<std::int32_t>();
        for (std::int64_t row = 0; row < column.length; ++row)
            if (codes[row] >= 0) size += column.children.front().bytes_length(codes[row]);
    }
    return size;
}

namespace {

std::int64_t value_size(const Column& column, std::int64_t begin, std::int64_t end) noexcept {
    constexpr std::int64_t kPlain = 8;  // including the ones that are printed
    std::int64_t size = (end - begin) * kPlain;
    if (column.has_dictionary) {
        for (std::int64_t row = begin; row < end; ++row)
            if (const std::int32_t code = column.values.as<std::int32_t>()[row]; code >= 0)
                size += column.children.front().bytes_length(code);
        return size;
    }
    std::int64_t first = begin;
    std::int64_t last = end;
    if (!column.offsets.empty()) {
        first = column.offsets.as<std::int64_t>()[begin];
        last = column.offsets.as<std::int64_t>()[end];
        if (column.children.empty()) return size + last - first;
    }
    for (const Column& child : column.children) size += value_size(child, first, last);
    return size;
}

}  // namespace

std::int64_t largest_row(const Batch& batch) {
    std::int64_t largest = 0;
    for (std::int64_t row = 0; row < batch.length; ++row) {
        std::int64_t size = 0;
        for (const Column& column : batch.columns)
            if (column.length == batch.length) size += value_size(column, row, row + 1);
        largest = std::max(largest, size);
    }
    return largest;
}

Column null_column(std::int64_t length) {
    Column column;
    column.type.kind = Kind::kNull;
    column.length = length;
    column.null_count = length;
    return column;
}

}  // namespace epe
