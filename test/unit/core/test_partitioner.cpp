// Tests of core/pipeline/partitioner: the number of calls of a request, and the rows of each.
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "core/pipeline/partitioner.h"
#include "support/batch_support.h"

namespace epe {
namespace {

using test::CountingSource;

/// All calls of a partitioner. Checks that calls are numbered and rows in order.
struct Calls {
    std::vector<std::int64_t> sizes{};
    std::vector<std::optional<std::string>> names{};
    std::size_t works = 0;
};

double number_at(const Batch& batch, std::int64_t row) {
    return batch.is_matrix ? batch.matrix.as<double>()[row]
                           : batch.columns.at(0).values.as<std::int32_t>()[row];
}

Calls collect(Cut& cut, EvalFunction function) {
    Calls calls;
    std::int64_t rows = 0;
    Work work;
    while (cut.next(work)) {
        ++calls.works;
        EXPECT_EQ(work.function, function);
        EXPECT_EQ(work.stream, nullptr);
        EXPECT_FALSE(work.calls.empty());
        std::int64_t row = 0;
        for (const Call& call : work.calls) {
            calls.sizes.push_back(call.row_count);
            calls.names.push_back(call.name);
            EXPECT_EQ(call.number, static_cast<std::int64_t>(calls.sizes.size()));
            EXPECT_EQ(call.first_row, row);
            EXPECT_EQ(call.input_row, rows + row);
            row += call.row_count;
        }
        EXPECT_EQ(row, work.batch.length);
        for (std::int64_t i = 0; i < row; ++i)
            EXPECT_EQ(number_at(work.batch, i), static_cast<double>(rows + i));
        rows += row;
    }
    EXPECT_FALSE(cut.next(work));
    return calls;
}

using Sizes = std::vector<std::int64_t>;
using Names = std::vector<std::optional<std::string>>;

TEST(CutByIndex, NumbersItsCalls) {
    const Calls calls = collect(*cut_by_index(EvalFunction::kIndex, 3), EvalFunction::kIndex);
    EXPECT_EQ(calls.names, (Names{"1", "2", "3"}));
    EXPECT_TRUE(
        collect(*cut_by_index(EvalFunction::kIndex, 0), EvalFunction::kIndex).sizes.empty());
    const Calls many = collect(*cut_by_index(EvalFunction::kIndex, 5000), EvalFunction::kIndex);
    ASSERT_EQ(many.names.size(), 5000U);
    EXPECT_EQ(many.names.back(), "5000");
}

TEST(CutByIndex, GivesOneNamelessCallToEval) {
    const Calls calls = collect(*cut_by_index(EvalFunction::kEval, 0), EvalFunction::kEval);
    EXPECT_EQ(calls.names, (Names{std::nullopt}));
}

TEST(CutWhole, TakesEverythingAtOnce) {
    for (const std::int64_t rows : {0, 1, 25000}) {
        CountingSource source(rows);
        source.most_at_once = 999;
        const Calls calls = collect(*cut_whole(source, {}), EvalFunction::kTable);
        EXPECT_EQ(calls.sizes, (Sizes{rows}));
        EXPECT_EQ(calls.names, (Names{std::nullopt}));
    }
}

TEST(CutByRows, CutsExactly) {
    CountingSource source(150);
    const Calls calls = collect(*cut_by_rows(source, {}, 40), EvalFunction::kRow);
    EXPECT_EQ(calls.sizes, (Sizes{40, 40, 40, 30}));
    EXPECT_EQ(calls.names, (Names{"1", "2", "3", "4"}));
}

TEST(CutByRows, DoesNotDependOnTheSteps) {
    for (const std::int64_t at_once : {1, 7, 40, 0}) {
        for (const std::int64_t rows : {1, 39, 40, 41, 80, 1234}) {
            for (const std::int64_t chunk : {1, 40, 1000, 100000}) {
                SCOPED_TRACE(testing::Message() << at_once << " " << rows << " " << chunk);
                CountingSource source(rows);
                source.most_at_once = at_once;
                const Calls calls =
                    collect(*cut_by_rows(source, {.as_matrix = true}, chunk), EvalFunction::kRow);
                ASSERT_EQ(calls.sizes.size(), static_cast<std::size_t>((rows + chunk - 1) / chunk));
                for (std::size_t i = 0; i + 1 < calls.sizes.size(); ++i)
                    ASSERT_EQ(calls.sizes[i], chunk);
                EXPECT_EQ(std::accumulate(calls.sizes.begin(), calls.sizes.end(), std::int64_t{0}),
                          rows);
            }
        }
    }
}

TEST(CutByRows, MakesNoCallWithoutRows) {
    CountingSource source(0);
    EXPECT_TRUE(collect(*cut_by_rows(source, {}, 40), EvalFunction::kRow).sizes.empty());
    CountingSource huge(3);
    EXPECT_EQ(collect(*cut_by_rows(huge, {}, std::numeric_limits<std::int64_t>::max()),
                      EvalFunction::kRow)
                  .sizes,
              (Sizes{3}));
}

TEST(CutByRows, FillsChunksDespiteOmittedRows) {
    CountingSource source(100);
    source.omitted_every = 2;
    source.most_at_once = 1;
    Sizes sizes;
    Work work;
    const auto cut = cut_by_rows(source, {.omit_incomplete = true}, 20);
    while (cut->next(work))
        for (const Call& call : work.calls) sizes.push_back(call.row_count);
    EXPECT_EQ(sizes, (Sizes{20, 20, 10}));
}

TEST(CutByRows, ReadsNoFurtherThanAFewChunksAhead) {
    CountingSource source(1000000);
    const auto cut = cut_by_rows(source, {}, 10);
    Work work;
    ASSERT_TRUE(cut->next(work));
    EXPECT_LE(work.batch.length, 2 * kStepRows);
    EXPECT_LE(source.largest_step, kStepRows);
}

TEST(CutByGroup, KeepsGroupsWhole) {
    const Sizes groups{3, 1, 5000, 20000, 1, 1, 2};
    const std::int64_t rows = std::accumulate(groups.begin(), groups.end(), std::int64_t{0});
    for (const std::int64_t at_once : {1, 2, 977, 0}) {
        for (const bool as_matrix : {false, true}) {
            SCOPED_TRACE(testing::Message() << at_once << " " << as_matrix);
            CountingSource source(rows);
            source.group_sizes = groups;
            source.most_at_once = at_once;
            const Calls calls =
                collect(*cut_by_group(source, {.as_matrix = as_matrix}), EvalFunction::kGroup);
            EXPECT_EQ(calls.sizes, groups);
            EXPECT_EQ(calls.names, (Names{"0", "1", "2", "3", "4", "5", "6"}));
        }
    }
}

TEST(CutByGroup, BundlesSmallGroups) {
    CountingSource source(100000);
    source.group_sizes = Sizes(50000, 2);
    const Calls calls = collect(*cut_by_group(source, {}), EvalFunction::kGroup);
    EXPECT_EQ(calls.sizes, source.group_sizes);
    EXPECT_LT(calls.works, 1000U);
}

TEST(CutByGroup, MakesNoCallWithoutRows) {
    CountingSource source(0);
    source.group_sizes = {1};
    EXPECT_TRUE(collect(*cut_by_group(source, {}), EvalFunction::kGroup).sizes.empty());
}

/// Row counts of the batches of a stream; checks that the rows continue from `first`.
Sizes drain(BatchStream& stream, std::int64_t first) {
    Sizes sizes;
    Batch batch;
    while (stream.next(batch)) {
        for (std::int64_t i = 0; i < batch.length; ++i)
            EXPECT_EQ(number_at(batch, i), static_cast<double>(first + i));
        first += batch.length;
        sizes.push_back(batch.length);
    }
    EXPECT_FALSE(stream.next(batch));
    return sizes;
}

TEST(CutStream, GivesOneCallAStream) {
    constexpr std::int64_t kRows = 3000000;
    CountingSource source(kRows);
    const auto cut = cut_stream(source, {}, EvalFunction::kTable);
    Work work;
    ASSERT_TRUE(cut->next(work));
    ASSERT_NE(work.stream, nullptr);
    ASSERT_EQ(work.calls.size(), 1U);
    EXPECT_EQ(work.calls[0].name, std::nullopt);
    const Sizes sizes = drain(*work.stream, 0);
    EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}), kRows);
    EXPECT_GT(sizes.size(), 1U);
    for (const std::int64_t size : sizes)
        EXPECT_LE(static_cast<std::size_t>(size) * 4, 2 * kStreamBytes);
    EXPECT_FALSE(cut->next(work));
}

TEST(CutStream, GivesOneEmptyBatchOfAnEmptyTable) {
    CountingSource source(0);
    const auto cut = cut_stream(source, {}, EvalFunction::kTable);
    Work work;
    ASSERT_TRUE(cut->next(work));
    EXPECT_EQ(drain(*work.stream, 0), (Sizes{0}));
    EXPECT_FALSE(cut->next(work));
}

TEST(CutStream, GivesEachGroupAStream) {
    const Sizes groups{3, 1, 2500000, 2};
    const std::int64_t rows = std::accumulate(groups.begin(), groups.end(), std::int64_t{0});
    for (const std::int64_t at_once : {1, 0}) {
        CountingSource source(rows);
        source.group_sizes = groups;
        source.most_at_once = at_once;
        const auto cut = cut_stream(source, {}, EvalFunction::kGroup);
        Work work;
        std::int64_t first = 0;
        for (std::size_t group = 0; group < groups.size(); ++group) {
            SCOPED_TRACE(group);
            ASSERT_TRUE(cut->next(work));
            ASSERT_NE(work.stream, nullptr);
            EXPECT_EQ(work.calls.at(0).name, std::to_string(group));
            EXPECT_EQ(work.calls.at(0).number, static_cast<std::int64_t>(group) + 1);
            const Sizes sizes = drain(*work.stream, first);
            EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}), groups[group]);
            first += groups[group];
        }
        EXPECT_FALSE(cut->next(work));
    }
}

TEST(CutStream, SkipsWhatAGroupLeftUnread) {
    CountingSource source(2500000 + 6);
    source.group_sizes = {3, 2500000, 2, 1};
    const auto cut = cut_stream(source, {}, EvalFunction::kGroup);
    Work work;
    Batch batch;
    ASSERT_TRUE(cut->next(work));  // not read at all
    ASSERT_TRUE(cut->next(work));  // read in part
    ASSERT_TRUE(work.stream->next(batch));
    EXPECT_EQ(number_at(batch, 0), 3);
    ASSERT_TRUE(cut->next(work));
    EXPECT_EQ(work.calls.at(0).name, "2");
    EXPECT_EQ(drain(*work.stream, 2500003), (Sizes{2}));
    ASSERT_TRUE(cut->next(work));
    EXPECT_EQ(work.calls.at(0).name, "3");
    EXPECT_FALSE(cut->next(work));
}

TEST(CutStream, MakesNoCallWithoutGroups) {
    CountingSource source(0);
    source.group_sizes = {1};
    const auto cut = cut_stream(source, {}, EvalFunction::kGroup);
    Work work;
    EXPECT_FALSE(cut->next(work));
}

}  // namespace
}  // namespace epe
