// Batches as inputs of fuzz targets: the size of the description in two bytes, the description, and
// the data.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/common/batch_codec.h"
#include "target.h"

namespace epe::fuzz {

struct BatchInput {
    std::string_view description;
    /// of exactly that size, so that ASan detects an overread by one byte
    std::vector<std::byte> data;
};

inline std::optional<BatchInput> split_batch(std::string_view input) {
    Bytes bytes(input);
    const std::size_t size = bytes.size();
    if (input.size() < 2 || size > input.size() - 2) return std::nullopt;
    const std::string_view description = bytes.take(size);
    const std::string_view rest = bytes.rest();
    const auto* const first = reinterpret_cast<const std::byte*>(rest.data());
    return BatchInput{description, {first, first + rest.size()}};
}

/// The batch of an input as the backend takes it from an engine; nullopt when it is refused.
inline std::optional<Batch> copied_batch(const BatchInput& input) {
    try {
        engine::WireReader reader(input.description);
        Batch batch = engine::decode_copied(reader, input.data);
        reader.expect_end();
        return batch;
    } catch (const engine::ProtocolError&) {
        return std::nullopt;
    }
}

/// Maximum number of rows that a target reads. Without any data there may be 2^40 of them.
inline constexpr std::int64_t kMostRowsToRead = 10000;

inline std::int64_t most_rows(const Column& column) {
    std::int64_t rows = column.length;
    for (const Column& child : column.children) rows = std::max(rows, most_rows(child));
    return rows;
}

inline bool is_small(const Batch& batch) {
    if (batch.length > kMostRowsToRead) return false;
    return std::all_of(batch.columns.begin(), batch.columns.end(),
                       [](const Column& column) { return most_rows(column) <= kMostRowsToRead; });
}

}  // namespace epe::fuzz
