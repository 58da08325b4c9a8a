// A Batch: some rows as columns.
#include "core/batch.h"

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

Column null_column(std::int64_t length) {
    Column column;
    column.type.kind = Kind::kNull;
    column.length = length;
    column.null_count = length;
    return column;
}

}  // namespace epe
