// Tests of engine/common/batch_codec: round trips of batches of every kind, whole and in slices.
#include "engine/common/batch_codec.h"

#include <gtest/gtest.h>

#include "support/codec_support.h"
#include "support/error_support.h"

namespace epe::engine {
namespace {

using test::all_types;
using test::append_text;
using test::CountedLease;
using test::decode_borrowed;
using test::decode_copied;
using test::encode;
using test::Encoded;
using test::expect_consistent;
using test::mixed_batch;
using test::text_at;

void expect_same_type(const ColumnType& left, const ColumnType& right) {
    EXPECT_EQ(left.kind, right.kind);
    ASSERT_EQ(left.fields.size(), right.fields.size());
    for (std::size_t i = 0; i < left.fields.size(); ++i) {
        EXPECT_EQ(left.fields[i].name, right.fields[i].name);
        EXPECT_EQ(left.fields[i].sql_type, right.fields[i].sql_type);
        EXPECT_EQ(left.fields[i].type_oid, right.fields[i].type_oid);
        EXPECT_EQ(left.fields[i].type_modifier, right.fields[i].type_modifier);
        expect_same_type(left.fields[i].type, right.fields[i].type);
    }
}

void expect_same(const Buffer& left, const Buffer& right, std::size_t size) {
    ASSERT_GE(left.size(), size);
    ASSERT_GE(right.size(), size);
    if (size > 0) {
        EXPECT_EQ(std::memcmp(left.data(), right.data(), size), 0);
    }
}

/// The same values at the same rows, and the same bytes except for a dictionary's codes.
void expect_same_column(const Column& got, const Column& wanted) {
    ASSERT_EQ(got.length, wanted.length);
    EXPECT_EQ(got.null_count, wanted.null_count);
    expect_same_type(got.type, wanted.type);
    expect_consistent(got);
    test::expect_same_rows(got, 0, wanted);
    const auto rows = static_cast<std::size_t>(wanted.length);
    EXPECT_EQ(got.has_dictionary, wanted.has_dictionary);
    if (wanted.has_dictionary) return;
    expect_same(got.values, wanted.values, wanted.values.size());
    if (!wanted.offsets.empty()) expect_same(got.offsets, wanted.offsets, (rows + 1) * 8);
    ASSERT_EQ(got.children.size(), wanted.children.size());
    for (std::size_t i = 0; i < got.children.size(); ++i)
        expect_same_column(got.children[i], wanted.children[i]);
}

class EveryType : public testing::TestWithParam<ColumnType> {};

std::string name_of(const testing::TestParamInfo<ColumnType>& info) {
    return kind_name(info.param.kind) + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(BatchCodec, EveryType, testing::ValuesIn(all_types()), name_of);

TEST_P(EveryType, TravelsWhole) {
    for (const std::int64_t rows : {0, 1, 7, 8, 100}) {
        SCOPED_TRACE(rows);
        const Batch batch = mixed_batch(GetParam(), 0, rows);
        Encoded encoded = encode(batch);
        const Batch copied = decode_copied(encoded);
        EXPECT_EQ(copied.length, rows);
        EXPECT_EQ(copied.schema, nullptr);
        ASSERT_EQ(copied.columns.size(), 1U);
        expect_same_column(copied.columns[0], batch.columns[0]);
        CountedLease lease;
        const Batch borrowed = decode_borrowed(encoded, lease);
        ASSERT_EQ(borrowed.columns.size(), 1U);
        expect_same_column(borrowed.columns[0], batch.columns[0]);
    }
}

TEST_P(EveryType, TravelsInSlices) {
    for (const bool share_text : {true, false}) {
        const Batch whole = mixed_batch(GetParam(), 0, 200, share_text);
        for (const std::int64_t first : {0, 1, 3, 5, 7, 8, 9, 64, 131, 200}) {
            for (const std::int64_t count : {0, 1, 2, 6, 8, 17, 69, 200}) {
                if (first + count > whole.length) continue;
                SCOPED_TRACE(std::to_string(first) + " + " + std::to_string(count));
                const Batch wanted = mixed_batch(GetParam(), first, count, share_text);
                Encoded encoded = encode(whole, first, count);
                expect_same_column(decode_copied(encoded).columns.at(0), wanted.columns[0]);
                CountedLease lease;
                expect_same_column(decode_borrowed(encoded, lease).columns.at(0),
                                   wanted.columns[0]);
                // A slice has no more bytes than those rows alone (except for a whole dictionary).
                if (!share_text) {
                    EXPECT_LE(encoded.data.span().size(), encode(wanted).data.span().size() + 999);
                }
            }
        }
    }
}

TEST_P(EveryType, TravelsTwice) {
    const Batch batch = mixed_batch(GetParam(), 0, 50);
    Encoded first = encode(batch);
    const Batch decoded = decode_copied(first);
    const Encoded second = encode(decoded, 3, 40);
    const Encoded wanted = encode(batch, 3, 40);
    EXPECT_EQ(second.description, wanted.description);
}

TEST(BatchCodec, LendsTheMemoryUntilTheLastBufferDies) {
    const Batch batch = mixed_batch({Kind::kInt64}, 0, 100);
    Encoded encoded = encode(batch);
    CountedLease lease;
    Batch borrowed = decode_borrowed(encoded, lease);
    EXPECT_EQ(lease.frees, 0);
    Buffer values = std::move(borrowed.columns[0].values);
    const std::byte* const start = encoded.data.data();
    EXPECT_TRUE(values.is_borrowed());
    EXPECT_GE(values.data(), start);
    EXPECT_LT(values.data(), start + encoded.data.span().size());
    borrowed = Batch();
    EXPECT_EQ(lease.frees, 0);
    values = Buffer();
    EXPECT_EQ(lease.frees, 1);
}

TEST(BatchCodec, GivesBackMemoryThatNobodyBorrows) {
    Batch batch;
    batch.length = 3;
    batch.columns.push_back(null_column(3));
    Encoded encoded = encode(batch);
    EXPECT_EQ(encoded.data.span().size(), 0U);
    CountedLease lease;
    EXPECT_EQ(decode_borrowed(encoded, lease).columns.at(0).null_count, 3);
    EXPECT_EQ(lease.frees, 1);
}

TEST(BatchCodec, CopiesWhatLiesBadlyInAFrame) {
    const Batch batch = mixed_batch({Kind::kFloat64}, 0, 20);
    Encoded encoded = encode(batch);
    std::string frame(1, ' ');
    frame.append(reinterpret_cast<const char*>(encoded.data.data()), encoded.data.span().size());
    test::AlignedBytes aligned(std::as_bytes(std::span(frame)));
    WireReader reader(encoded.description);
    CountedLease lease;
    lease.add();
    const Batch read = engine::decode_borrowed(reader, aligned.span().subspan(1), lease);
    EXPECT_FALSE(read.columns.at(0).values.is_borrowed());
    expect_same_column(read.columns[0], batch.columns[0]);
}

TEST(BatchCodec, ReadsSharedMemoryOnlyOnce) {
    const Batch batch = mixed_batch({Kind::kText}, 0, 30, false);
    Encoded encoded = encode(batch);
    const Batch copied = decode_copied(encoded);
    std::memset(encoded.data.data(), 0xFF, encoded.data.span().size());
    expect_same_column(copied.columns.at(0), batch.columns[0]);
}

TEST(BatchCodec, CarriesMatrices) {
    const Schema schema{test::field("a", Kind::kFloat64), test::field("b", Kind::kInt32)};
    BatchBuilder builder(schema, {.as_matrix = true});
    for (int row = 0; row < 10; ++row) {
        double* const values = builder.matrix_row();
        values[0] = row;
        values[1] = -row;
        builder.end_row();
    }
    const Batch batch = builder.finish();
    Encoded encoded = encode(batch, 3, 4);
    CountedLease lease;
    const Batch read = decode_borrowed(encoded, lease);
    EXPECT_TRUE(read.is_matrix);
    EXPECT_EQ(read.length, 4);
    ASSERT_EQ(read.matrix.size(), 8 * sizeof(double));
    EXPECT_EQ(read.matrix.as<double>()[0], 3);
    EXPECT_EQ(read.matrix.as<double>()[7], -6);
    test::error_of("08P01", [&] { decode_copied(encoded); });

    const Batch empty = builder.finish();
    Encoded no_rows = encode(empty);
    EXPECT_TRUE(decode_borrowed(no_rows, lease).is_matrix);
}

TEST(BatchCodec, CarriesBatchesWithoutColumns) {
    Batch batch;
    batch.length = 5;
    Encoded encoded = encode(batch);
    EXPECT_EQ(decode_copied(encoded).length, 5);
}

TEST(BatchCodec, LeavesGroupsBehind) {
    Batch batch = mixed_batch({Kind::kInt32}, 0, 5);
    batch.group_starts = {0, 2};
    batch.group_names = {"a", "b"};
    Encoded encoded = encode(batch);
    EXPECT_TRUE(decode_copied(encoded).group_starts.empty());
}

TEST(BatchCodec, CarriesColumnsThatLackEmptyBuffers) {
    Batch batch;
    for (const Kind kind : {Kind::kText, Kind::kList}) {
        Column column;
        column.type = test::type_of(kind);
        if (kind == Kind::kList) {
            column.children.emplace_back();
            column.children[0].type = column.type.fields[0].type;
        }
        batch.columns.push_back(std::move(column));
    }
    Encoded encoded = encode(batch);
    for (const Column& column : decode_copied(encoded).columns) expect_consistent(column);
}

TEST(BatchCodec, WritesZeroesForAColumnAllNullWithoutBits) {
    Batch batch = mixed_batch({Kind::kInt32}, 0, 20);
    batch.columns[0].validity = Buffer();
    batch.columns[0].null_count = 20;
    Encoded encoded = encode(batch, 5, 10);
    EXPECT_EQ(decode_copied(encoded).columns.at(0).null_count, 10);
}

TEST(BatchCodec, RefusesRowsBeyondTheBatch) {
    const Batch batch = mixed_batch({Kind::kInt32}, 0, 5);
    for (const auto& [first, count] :
         {std::pair{-1, 1}, std::pair{0, 6}, std::pair{5, 1}, std::pair{2, -1}})
        test::error_of("XX000", [&, first = first, count = count] {
            const BatchEncoder encoder(batch, first, count);
        });
}

TEST(CountSetBits, CountsWithinABitmap) {
    Buffer bits;
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(bits.push(static_cast<std::uint8_t>(i * 37 + 11)));
    for (std::int64_t first = 0; first < 70; ++first) {
        for (std::int64_t end = first; end <= 320; end += 13) {
            std::int64_t wanted = 0;
            for (std::int64_t at = first; at < end; ++at)
                wanted += bits.as<std::uint8_t>()[at / 8] >> (at % 8) & 1;
            ASSERT_EQ(count_set_bits(bits, first, end - first), wanted) << first << " to " << end;
        }
    }
}

}  // namespace
}  // namespace epe::engine
