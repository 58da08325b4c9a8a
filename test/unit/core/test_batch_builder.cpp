// Tests of core/batch/batch_builder: columns of every kind, NULLs, dictionaries, nesting,
// splitting.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "core/batch/batch_builder.h"
#include "support/batch_support.h"
#include "support/value_support.h"

namespace epe {
namespace {

using test::append_text;
using test::append_value;
using test::expect_consistent;
using test::expect_same_rows;
using test::field;
using test::kAllKinds;
using test::shown;
using test::text_at;
using test::type_of;
using test::value_at;

class EveryKind : public testing::TestWithParam<Kind> {
   protected:
    /// Some values, some NULLs, and unusual values where the kind has them.
    Column mixed(std::int32_t rows) {
        ColumnBuilder builder(type_of(GetParam()), true);
        fill(builder, 0, rows);
        return builder.finish();
    }
    static void fill(ColumnBuilder& builder, std::int32_t first, std::int32_t end) {
        for (std::int32_t row = first; row < end; ++row) {
            if (row % 7 == 5)
                ASSERT_TRUE(builder.append_null());
            else if (row % 11 == 3 && has_unusual())
                ASSERT_TRUE(builder.append_unusual("infinity", 8));
            else
                ASSERT_TRUE(append_value(builder, row));
        }
    }
    static bool has_unusual() { return can_be_unusual(GetParam()); }
};

std::string name_of(const testing::TestParamInfo<Kind>& info) { return kind_name(info.param); }

INSTANTIATE_TEST_SUITE_P(ColumnBuilder, EveryKind, testing::ValuesIn(kAllKinds), name_of);

TEST_P(EveryKind, BuildsNothing) {
    ColumnBuilder builder(type_of(GetParam()), true);
    const Column column = builder.finish();
    EXPECT_EQ(column.length, 0);
    EXPECT_EQ(column.type.kind, GetParam());
    expect_consistent(column);
}

TEST_P(EveryKind, BuildsValuesWithoutValidity) {
    ColumnBuilder builder(type_of(GetParam()), true);
    for (std::int32_t row = 0; row < 20; ++row) ASSERT_TRUE(append_value(builder, row));
    EXPECT_EQ(builder.length(), 20);
    const Column column = builder.finish();
    EXPECT_EQ(column.length, 20);
    EXPECT_EQ(column.null_count, GetParam() == Kind::kNull ? 20 : 0);
    EXPECT_TRUE(column.validity.empty());
    expect_consistent(column);
}

TEST_P(EveryKind, MixesValuesAndNulls) {
    const Column column = mixed(100);
    EXPECT_EQ(column.length, 100);
    expect_consistent(column);
    if (GetParam() == Kind::kNull) return;
    EXPECT_EQ(column.null_count, 14);
    for (std::int64_t row = 0; row < 100; ++row)
        EXPECT_EQ(column.is_null(row), row % 7 == 5) << row;
}

TEST_P(EveryKind, BuildsOnlyNulls) {
    ColumnBuilder builder(type_of(GetParam()), true);
    for (int row = 0; row < 17; ++row) ASSERT_TRUE(builder.append_null());
    const Column column = builder.finish();
    EXPECT_EQ(column.null_count, 17);
    expect_consistent(column);
}

TEST_P(EveryKind, StartsAgainAfterFinish) {
    ColumnBuilder builder(type_of(GetParam()), true);
    fill(builder, 0, 30);
    const Column first = builder.finish();
    EXPECT_EQ(builder.length(), 0);
    fill(builder, 0, 30);
    const Column second = builder.finish();
    expect_consistent(second);
    expect_same_rows(first, 0, second);
}

TEST_P(EveryKind, CopiesRows) {
    const Column from = mixed(100);
    ColumnBuilder builder(type_of(GetParam()), true);
    ASSERT_TRUE(builder.append_rows(from, 40, 0));
    ASSERT_TRUE(builder.append_rows(from, 3, 60));
    ASSERT_TRUE(builder.append_rows(from, 63, 37));
    const Column copied = builder.finish();
    ASSERT_EQ(copied.length, 97);
    expect_consistent(copied);
    expect_same_rows(from, 3, copied);
}

TEST_P(EveryKind, SplitsBatchesAnywhere) {
    const Column whole = mixed(40);
    for (const std::int64_t at : {0, 1, 3, 4, 5, 6, 8, 20, 39, 40}) {
        SCOPED_TRACE(at);
        const Schema schema{{"x", type_of(GetParam())}};
        BatchBuilder builder(schema, {});
        fill(builder.column(0), 0, 40);
        for (int row = 0; row < 40; ++row) builder.end_row();
        const Batch head = builder.finish_before(at);
        EXPECT_EQ(head.length, at);
        EXPECT_EQ(builder.rows(), 40 - at);
        fill(builder.column(0), 40, 45);
        for (int row = 40; row < 45; ++row) builder.end_row();
        const Batch tail = builder.finish();
        ASSERT_EQ(head.columns.at(0).length, at);
        ASSERT_EQ(tail.columns.at(0).length, 45 - at);
        expect_consistent(head.columns[0]);
        expect_consistent(tail.columns[0]);
        expect_same_rows(mixed(45), 0, head.columns[0]);
        expect_same_rows(mixed(45), at, tail.columns[0]);
    }
}

TEST(ColumnBuilder, PutsTheAgreedValueUnderNull) {
    const auto under_null = [](Kind kind) {
        ColumnBuilder builder({kind}, true);
        EXPECT_TRUE(append_value(builder, 1) && builder.append_null());
        return builder.finish();
    };
    EXPECT_EQ(under_null(Kind::kBool).values.as<std::uint8_t>()[1], 0);
    EXPECT_EQ(under_null(Kind::kInt16).values.as<std::int16_t>()[1], 0);
    EXPECT_EQ(under_null(Kind::kInt64).values.as<std::int64_t>()[1], 0);
    EXPECT_TRUE(std::isnan(under_null(Kind::kFloat32).values.as<float>()[1]));
    EXPECT_TRUE(std::isnan(under_null(Kind::kFloat64).values.as<double>()[1]));
    EXPECT_EQ(under_null(Kind::kDate).values.as<std::int32_t>()[1], 0);
    EXPECT_EQ(under_null(Kind::kTime).values.as<std::int64_t>()[1], 0);
    for (const Kind kind : {Kind::kTimestamp, Kind::kTimestampTz, Kind::kInterval})
        EXPECT_EQ(under_null(kind).values.as<std::int64_t>()[1],
                  std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(under_null(Kind::kText).values.as<std::int32_t>()[1], -1);
    EXPECT_EQ(under_null(Kind::kJson).bytes_length(1), 0);
}

TEST(ColumnBuilder, KeepsUnusualValuesAside) {
    ColumnBuilder builder({Kind::kTimestamp}, true);
    ASSERT_TRUE(builder.append(std::int64_t{5}));
    ASSERT_TRUE(builder.append_unusual("infinity", 8));
    ASSERT_TRUE(builder.append_null());
    ASSERT_TRUE(builder.append_unusual("-infinity", 9));
    const Column column = builder.finish();
    expect_consistent(column);
    ASSERT_EQ(column.unusual_count(), 2);
    EXPECT_EQ(column.unusual_rows.as<std::int64_t>()[0], 1);
    EXPECT_EQ(column.unusual_rows.as<std::int64_t>()[1], 3);
    EXPECT_EQ(text_at(*column.unusual, 1), "-infinity");
    EXPECT_EQ(column.null_count, 1);
    EXPECT_EQ(column.values.as<std::int64_t>()[1], std::numeric_limits<std::int64_t>::min());
}

TEST(ColumnBuilder, AppendsValuesAsLongAsTheyConvert) {
    ColumnBuilder builder({Kind::kInt32}, true);
    builder.reserve(1000);
    std::vector<std::optional<std::int32_t>> wanted;
    const auto append = [&](std::int64_t count, std::int64_t end) {
        const auto first = static_cast<std::int32_t>(wanted.size());
        const std::int64_t appended =
            builder.append_while<std::int32_t>(count, [&](std::int64_t i, std::int32_t& value) {
                value = first + static_cast<std::int32_t>(i);
                return i != end;
            });
        ASSERT_EQ(appended, std::min(count, end));
        for (std::int32_t i = 0; i < appended; ++i) wanted.emplace_back(first + i);
    };
    // Without and with a bitmap, whose bytes it starts, ends and crosses.
    for (int round = 0; round < 3; ++round) {
        for (const std::int64_t count : {0, 1, 7, 8, 9, 64, 100}) append(count, 1000);
        append(5, 0);
        append(20, 13);
        ASSERT_TRUE(builder.append_null());
        wanted.emplace_back(std::nullopt);
    }
    ASSERT_TRUE(builder.append(std::int32_t{-1}));
    wanted.emplace_back(-1);
    const Column column = builder.finish();
    expect_consistent(column);
    EXPECT_EQ(column.null_count, 3);
    ASSERT_EQ(column.length, static_cast<std::int64_t>(wanted.size()));
    for (std::size_t row = 0; row < wanted.size(); ++row)
        EXPECT_EQ(value_at<std::int32_t>(column, static_cast<std::int64_t>(row)), wanted[row]);
}

TEST_P(EveryKind, ReservesMemoryWithoutRows) {
    ColumnBuilder builder(type_of(GetParam()), true);
    builder.reserve(100000);
    fill(builder, 0, 100);
    builder.reserve(std::int64_t{1} << 60);  // more than there is: not an error
    fill(builder, 100, 200);
    const Column column = builder.finish();
    expect_consistent(column);
    expect_same_rows(column, 0, mixed(200));
}

TEST(ColumnBuilder, SharesRepeatedTexts) {
    ColumnBuilder builder({Kind::kText}, true);
    for (int i = 0; i < 3; ++i)
        for (const char* text : {"", "", "setosa", "virginica"})
            ASSERT_TRUE(append_text(builder, text));
    ASSERT_TRUE(builder.append_null());
    const Column column = builder.finish();
    expect_consistent(column);
    ASSERT_TRUE(column.has_dictionary);
    EXPECT_EQ(column.children.at(0).length, 3);
    EXPECT_EQ(text_at(column, 0), "");
    EXPECT_EQ(text_at(column, 9), "");
    EXPECT_EQ(text_at(column, 10), "setosa");
    EXPECT_EQ(text_at(column, 12), std::nullopt);
    EXPECT_EQ(column.values.as<std::int32_t>()[10], column.values.as<std::int32_t>()[2]);
}

TEST(ColumnBuilder, DoesNotShareWhenToldSo) {
    ColumnBuilder builder({Kind::kText}, false);
    ASSERT_TRUE(append_text(builder, "a") && append_text(builder, "a"));
    const Column column = builder.finish();
    EXPECT_FALSE(column.has_dictionary);
    EXPECT_TRUE(column.children.empty());
    EXPECT_EQ(text_at(column, 1), "a");
}

TEST(ColumnBuilder, GivesUpADictionaryOfDistinctTexts) {
    constexpr int kRows = 50000;
    ColumnBuilder builder({Kind::kText}, true);
    for (int row = 0; row < kRows; ++row) {
        if (row % 1000 == 7)
            ASSERT_TRUE(builder.append_null());
        else
            ASSERT_TRUE(append_text(builder, std::to_string(row)));
    }
    const Column column = builder.finish();
    EXPECT_FALSE(column.has_dictionary);
    expect_consistent(column);
    for (int row = 0; row < kRows; ++row)
        ASSERT_EQ(text_at(column, row),
                  row % 1000 == 7 ? std::nullopt : std::optional(std::to_string(row)));
    ASSERT_TRUE(append_text(builder, "again"));
    EXPECT_TRUE(builder.finish().has_dictionary);
}

TEST(ColumnBuilder, KeepsADictionaryOfManyRepeatedTexts) {
    ColumnBuilder builder({Kind::kText}, true);
    for (int row = 0; row < 60000; ++row)
        ASSERT_TRUE(append_text(builder, std::to_string(row % 5000)));
    const Column column = builder.finish();
    ASSERT_TRUE(column.has_dictionary);
    EXPECT_EQ(column.children[0].length, 5000);
    for (int row = 0; row < 60000; ++row)
        ASSERT_EQ(text_at(column, row), std::to_string(row % 5000));
}

TEST(ColumnBuilder, WritesShapesOnlyWhenNeeded) {
    ColumnBuilder builder(type_of(Kind::kList), true);
    const auto append = [&](std::vector<std::int32_t> sizes, std::int32_t elements) {
        for (std::int32_t i = 0; i < elements; ++i) ASSERT_TRUE(builder.child(0).append(i));
        ASSERT_TRUE(builder.append_list(static_cast<int>(sizes.size()), sizes.data()));
    };
    append({3}, 3);
    append({}, 0);
    ASSERT_TRUE(builder.append_null());
    const Column flat = builder.finish();
    EXPECT_TRUE(flat.shapes.empty());
    expect_consistent(flat);

    append({3}, 3);
    append({}, 0);
    ASSERT_TRUE(builder.append_null());
    append({2, 3}, 6);
    append({1}, 1);
    ASSERT_TRUE(builder.append_null());
    const Column shaped = builder.finish();
    expect_consistent(shaped);
    ASSERT_EQ(shaped.shapes.size(), 6 * sizeof(ListShape));
    const int dimensions[] = {1, 0, 0, 2, 1, 0};
    for (int row = 0; row < 6; ++row)
        EXPECT_EQ(shaped.shapes.as<ListShape>()[row].dimensions, dimensions[row]) << row;
    EXPECT_EQ(shown(shaped, 3), "{0.0.0.0.;1.0.0.0.;2.0.0.0.;3.0.0.0.;4.0.0.0.;5.0.0.0.;x2x3}");
    EXPECT_EQ(shaped.shapes.as<ListShape>()[0].sizes[0], 3);

    ColumnBuilder copy(type_of(Kind::kList), true);
    ASSERT_TRUE(copy.append_rows(shaped, 1, 5));
    expect_same_rows(shaped, 1, copy.finish());
}

TEST(ColumnBuilder, NestsListsAndStructs) {
    ColumnType record{Kind::kStruct};
    record.fields = {field("id", Kind::kInt64), {"tags", {Kind::kList, {field("e", Kind::kText)}}}};
    const ColumnType type{Kind::kList, {{"element", record}}};
    ColumnBuilder builder(type, true);
    const std::int32_t two[] = {2};
    const std::int32_t one[] = {1};
    ColumnBuilder& element = builder.child(0);
    ASSERT_TRUE(element.child(0).append(std::int64_t{1}));
    ASSERT_TRUE(append_text(element.child(1).child(0), "x"));
    ASSERT_TRUE(element.child(1).child(0).append_null());
    ASSERT_TRUE(element.child(1).append_list(1, two) && element.append_struct());
    ASSERT_TRUE(element.append_null() && builder.append_list(1, two));
    ASSERT_TRUE(builder.append_null());
    ASSERT_TRUE(element.append_null() && builder.append_list(1, one));
    const Column column = builder.finish();
    expect_consistent(column);
    EXPECT_EQ(column.children[0].length, 3);
    EXPECT_EQ(shown(column, 0), "{(1.0.0.0.0.0.0.0.;{x;NULL;};);NULL;}");

    ColumnBuilder copy(type, true);
    ASSERT_TRUE(copy.append_rows(column, 0, 3));
    expect_same_rows(column, 0, copy.finish());
}

}  // namespace
}  // namespace epe
