// Encoded batches, for unit tests.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/common/batch_codec.h"
#include "value_support.h"

namespace epe::test {

/// Bytes aligned as in an arena.
class AlignedBytes {
   public:
    explicit AlignedBytes(std::size_t size) : size_(size), blocks_(size / sizeof(Block) + 1) {}
    explicit AlignedBytes(std::span<const std::byte> bytes) : AlignedBytes(bytes.size()) {
        if (!bytes.empty()) std::memcpy(data(), bytes.data(), bytes.size());
    }
    std::byte* data() noexcept { return blocks_.front().bytes; }
    std::span<std::byte> span() noexcept { return {data(), size_}; }

   private:
    struct alignas(engine::kDataAlignment) Block {
        std::byte bytes[engine::kDataAlignment]{};
    };
    std::size_t size_;
    std::vector<Block> blocks_;
};

struct Encoded {
    std::string description;
    AlignedBytes data;
};

inline Encoded encode(const Batch& batch, std::int64_t first, std::int64_t count) {
    const engine::BatchEncoder encoder(batch, first, count);
    engine::WireWriter writer;
    encoder.describe(writer);
    // Of exactly that size on the heap, so that ASan detects an overread by one byte.
    std::vector<std::byte> exact(encoder.data_size());
    encoder.write_data(exact.data());
    return {writer.bytes(), AlignedBytes(exact)};
}

inline Encoded encode(const Batch& batch) { return encode(batch, 0, batch.length); }

inline Batch decode_copied(Encoded& encoded) {
    engine::WireReader reader(encoded.description);
    Batch batch = engine::decode_copied(reader, encoded.data.span());
    reader.expect_end();
    return batch;
}

class CountedLease final : public Lease {
   public:
    int frees = 0;

   private:
    void on_free() noexcept override { ++frees; }
};

inline Batch decode_borrowed(Encoded& encoded, Lease& lease) {
    engine::WireReader reader(encoded.description);
    lease.add();
    Batch batch = engine::decode_borrowed(reader, encoded.data.span(), lease);
    lease.drop();
    reader.expect_end();
    return batch;
}

/// Types of every form that a column can have: all kinds, and nested ones.
inline std::vector<ColumnType> all_types() {
    std::vector<ColumnType> types;
    for (const Kind kind : kAllKinds) types.push_back(type_of(kind));
    ColumnType record{Kind::kStruct};
    record.fields = {field("id", Kind::kInt64), {"tags", {Kind::kList, {field("e", Kind::kText)}}}};
    record.fields[1].sql_type = "text[]";
    record.fields[1].type_oid = 1009;
    record.fields[1].type_modifier = 7;
    types.push_back(record);
    types.push_back({Kind::kList, {{"element", record}}});
    types.push_back({Kind::kList, {{"element", type_of(Kind::kStruct)}}});
    types.push_back({Kind::kList, {field("element", Kind::kTimestamp)}});
    types.push_back({Kind::kStruct, {}});
    return types;
}

inline bool has_unusual(Kind kind) { return can_be_unusual(kind); }

/// Appends the value that row `row` has in every batch of tests: some are NULL, some unusual, and
/// lists are empty or have one or two dimensions.
inline bool append_mixed(ColumnBuilder& builder, std::int32_t row) {
    if (row % 7 == 5) return builder.append_null();
    if (row % 11 == 3 && has_unusual(builder.kind())) return builder.append_unusual("infinity", 8);
    if (builder.kind() == Kind::kStruct) {
        for (std::size_t i = 0; i < builder.child_count(); ++i)
            if (!append_mixed(builder.child(i), row + static_cast<std::int32_t>(i))) return false;
        return builder.append_struct();
    }
    if (builder.kind() != Kind::kList) return append_value(builder, row % 13);
    const std::int32_t sizes[] = {2, row % 3};
    const int dimensions = row % 3 == 0 ? 0 : row % 3;
    const std::int32_t count = row % 3 == 0 ? 0 : row % 3 == 1 ? sizes[0] : sizes[0] * sizes[1];
    for (std::int32_t i = 0; i < count; ++i)
        if (!append_mixed(builder.child(0), row + i)) return false;
    return builder.append_list(dimensions, sizes);
}

/// Rows [first, first + count) of a batch of one column.
inline Batch mixed_batch(const ColumnType& type, std::int64_t first, std::int64_t count,
                         bool share_text = true) {
    Batch batch;
    ColumnBuilder builder(type, share_text);
    for (std::int64_t row = first; row < first + count; ++row)
        EXPECT_TRUE(append_mixed(builder, static_cast<std::int32_t>(row)));
    batch.length = count;
    batch.columns.push_back(builder.finish());
    return batch;
}

}  // namespace epe::test
