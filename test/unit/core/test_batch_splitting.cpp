// Tests of BatchBuilder: whole batches, matrices, groups that continue in the next batch.
#include <gtest/gtest.h>

#include "support/batch_support.h"

namespace epe {
namespace {

using test::append_text;
using test::field;
using test::text_at;
using test::value_at;

TEST(BatchBuilder, BuildsRowsOfSeveralColumns) {
    const Schema schema{field("n", Kind::kInt32), field("t", Kind::kText)};
    BatchBuilder builder(schema, {});
    EXPECT_EQ(builder.bytes(), 0U);
    for (std::int32_t row = 0; row < 3; ++row) {
        ASSERT_TRUE(builder.column(0).append(row) && append_text(builder.column(1), "t"));
        builder.end_row();
    }
    EXPECT_EQ(builder.rows(), 3);
    EXPECT_GT(builder.bytes(), 12U);
    const Batch batch = builder.finish();
    EXPECT_EQ(batch.schema, &schema);
    EXPECT_EQ(batch.length, 3);
    EXPECT_FALSE(batch.is_matrix);
    ASSERT_EQ(batch.columns.size(), 2U);
    EXPECT_EQ(value_at<std::int32_t>(batch.columns[0], 2), 2);
    EXPECT_EQ(text_at(batch.columns[1], 2), "t");
    EXPECT_TRUE(batch.group_starts.empty());
    EXPECT_EQ(builder.rows(), 0);
    EXPECT_EQ(builder.finish().length, 0);
}

TEST(BatchBuilder, BuildsAMatrix) {
    const Schema schema{field("a", Kind::kInt32), field("b", Kind::kFloat64)};
    BatchBuilder builder(schema, {.as_matrix = true});
    for (int row = 0; row < 5; ++row) {
        double* cells = builder.matrix_row();
        ASSERT_NE(cells, nullptr);
        cells[0] = row;
        cells[1] = row + 0.5;
        builder.end_row();
    }
    const Batch head = builder.finish_before(2);
    EXPECT_TRUE(head.is_matrix);
    EXPECT_TRUE(head.columns.empty());
    EXPECT_EQ(head.length, 2);
    ASSERT_EQ(head.matrix.size(), 4 * sizeof(double));
    EXPECT_EQ(head.matrix.as<double>()[3], 1.5);
    EXPECT_EQ(builder.rows(), 3);
    const Batch tail = builder.finish();
    ASSERT_EQ(tail.matrix.size(), 6 * sizeof(double));
    EXPECT_EQ(tail.matrix.as<double>()[0], 2);
    EXPECT_EQ(builder.finish().length, 0);
}

/// Rows numbered from `first`, in the builder's only column.
void append_rows(BatchBuilder& builder, std::int32_t first, std::int32_t count) {
    for (std::int32_t row = first; row < first + count; ++row) {
        ASSERT_TRUE(builder.column(0).append(row));
        builder.end_row();
    }
}

TEST(BatchBuilder, SplitsAtAGroup) {
    const Schema schema{field("n", Kind::kInt32)};
    BatchBuilder builder(schema, {});
    ASSERT_TRUE(builder.start_group("a"));
    append_rows(builder, 0, 2);
    ASSERT_TRUE(builder.start_group(""));
    append_rows(builder, 2, 3);
    ASSERT_TRUE(builder.start_group("c"));
    append_rows(builder, 5, 1);
    ASSERT_EQ(builder.group_count(), 3);
    EXPECT_EQ(builder.group_start(1), 2);
    EXPECT_EQ(builder.group_start(2), 5);

    const Batch head = builder.finish_before(builder.group_start(2));
    EXPECT_EQ(head.length, 5);
    EXPECT_EQ(head.group_starts, (std::vector<std::int64_t>{0, 2}));
    EXPECT_EQ(head.group_names, (std::vector<std::string>{"a", ""}));
    EXPECT_EQ(builder.rows(), 1);
    ASSERT_EQ(builder.group_count(), 1);
    EXPECT_EQ(builder.group_start(0), 0);

    append_rows(builder, 6, 2);  // the group continues
    ASSERT_TRUE(builder.start_group("d"));
    EXPECT_EQ(builder.group_start(1), 3);
    append_rows(builder, 8, 1);
    const Batch tail = builder.finish();
    EXPECT_EQ(tail.group_starts, (std::vector<std::int64_t>{0, 3}));
    EXPECT_EQ(tail.group_names, (std::vector<std::string>{"c", "d"}));
    for (std::int64_t row = 0; row < 4; ++row)
        EXPECT_EQ(value_at<std::int32_t>(tail.columns[0], row), 5 + row);
    EXPECT_EQ(builder.group_count(), 0);
}

TEST(BatchBuilder, KeepsAGroupThatHasOnlyStarted) {
    const Schema schema{field("n", Kind::kInt32)};
    BatchBuilder builder(schema, {});
    ASSERT_TRUE(builder.start_group("a"));
    append_rows(builder, 0, 2);
    ASSERT_TRUE(builder.start_group("b"));
    const Batch head = builder.finish_before(2);
    EXPECT_EQ(head.length, 2);
    EXPECT_EQ(head.group_names, (std::vector<std::string>{"a"}));
    EXPECT_EQ(builder.group_count(), 1);
    EXPECT_EQ(builder.rows(), 0);
    append_rows(builder, 2, 1);
    const Batch tail = builder.finish();
    EXPECT_EQ(tail.group_starts, (std::vector<std::int64_t>{0}));
    EXPECT_EQ(tail.length, 1);
}

TEST(BatchBuilder, SplitsManyTimes) {
    const Schema schema{field("n", Kind::kInt32)};
    BatchBuilder builder(schema, {});
    append_rows(builder, 0, 100);
    for (std::int64_t first = 0; first < 100; first += 10) {
        const Batch head = builder.finish_before(10);
        ASSERT_EQ(head.length, 10);
        EXPECT_EQ(value_at<std::int32_t>(head.columns[0], 0), first);
        EXPECT_EQ(value_at<std::int32_t>(head.columns[0], 9), first + 9);
    }
    EXPECT_EQ(builder.rows(), 0);
}

}  // namespace
}  // namespace epe
