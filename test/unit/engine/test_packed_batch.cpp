// Batches as one value, between package oml and the server.
#include "engine/common/packed_batch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/batch/batch_builder.h"

namespace epe::engine {
namespace {

Batch some_rows(const Schema& schema) {
    BatchBuilder builder(schema, BuildOptions{});
    for (std::int64_t row = 0; row < 100; ++row) {
        EXPECT_TRUE(row % 3 == 0 ? builder.column(0).append_null() : builder.column(0).append(row));
        const std::string text = std::to_string(row % 7);
        EXPECT_TRUE(builder.column(1).append_bytes(text.data(), text.size()));
        builder.end_row();
    }
    return builder.finish();
}

std::string pack(const Batch& batch) {
    const PackedBatch packed(batch);
    std::string bytes(packed.size(), '\xAA');
    packed.write(reinterpret_cast<std::byte*>(bytes.data()));
    return bytes;
}

TEST(PackedBatch, ComesBack) {
    const Schema schema{{"i", {Kind::kInt64}}, {"t", {Kind::kText}}};
    const std::string bytes = pack(some_rows(schema));
    EXPECT_EQ(bytes.size() % kDataAlignment, 0U);
    const Batch batch = unpack_batch(bytes);
    ASSERT_EQ(batch.length, 100);
    ASSERT_EQ(batch.columns.size(), 2U);
    EXPECT_EQ(batch.columns[0].null_count, 34);
    EXPECT_EQ(batch.columns[0].values.as<std::int64_t>()[98], 98);
    EXPECT_EQ(pack(batch), bytes);
}

TEST(PackedBatch, ShowsNoOtherMemory) {
    const Schema schema{{"i", {Kind::kInt64}}, {"t", {Kind::kText}}};
    const Batch batch = some_rows(schema);
    const PackedBatch packed(batch);
    std::string first(packed.size(), '\xAA');
    std::string second(packed.size(), '\x55');
    packed.write(reinterpret_cast<std::byte*>(first.data()));
    packed.write(reinterpret_cast<std::byte*>(second.data()));
    EXPECT_EQ(first, second);
}

TEST(PackedBatch, RefusesEveryShorterOrLongerValue) {
    const Schema schema{{"i", {Kind::kInt64}}, {"t", {Kind::kText}}};
    const std::string bytes = pack(some_rows(schema));
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_THROW(unpack_batch({bytes.data(), size}), ProtocolError) << size;
    EXPECT_THROW(unpack_batch(bytes + std::string(64, '\0')), ProtocolError);
}

TEST(PackedBatch, StopsAtItsBytes) {
    const Schema schema{{"t", {Kind::kText}}};
    BatchBuilder builder(schema, BuildOptions{.most_bytes = 1000});
    EXPECT_FALSE(builder.is_full());
    const std::string text(1000, 'x');
    ASSERT_TRUE(builder.column(0).append_bytes(text.data(), text.size()));
    builder.end_row();
    EXPECT_TRUE(builder.is_full());
}

}  // namespace
}  // namespace epe::engine
