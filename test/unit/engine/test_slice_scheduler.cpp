// Tests of engine/client/slice_scheduler.
#include "engine/client/slice_scheduler.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace epe::engine {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr EngineLoad kIdle{0, true, true};
constexpr EngineLoad kStarting{0, false, true};
constexpr EngineLoad kFailed{0, true, false};

EngineLoad with_slices(std::size_t slices) { return {slices, true, true}; }

TEST(SliceScheduler, GivesASingleEngineAllCalls) {
    const SliceScheduler scheduler(1);
    EXPECT_EQ(scheduler.slice_size(1000), 1000U);
}

TEST(SliceScheduler, GivesOneCallUntilADurationIsKnown) {
    const SliceScheduler scheduler(2);
    EXPECT_EQ(scheduler.slice_size(1000), 1U);
}

TEST(SliceScheduler, MakesSlicesOfTenMilliseconds) {
    SliceScheduler scheduler(2);
    scheduler.count_calls(10, {5 * kMillisecond, 5 * kMillisecond});
    EXPECT_EQ(scheduler.slice_size(1000), 10U);
    // The last calls are shared among the engines, two slices each.
    EXPECT_EQ(scheduler.slice_size(8), 2U);
    EXPECT_EQ(scheduler.slice_size(1), 1U);
}

TEST(SliceScheduler, GivesLongCallsOneByOne) {
    SliceScheduler scheduler(2);
    scheduler.count_calls(1, {0, 100 * kMillisecond});
    EXPECT_EQ(scheduler.slice_size(1000), 1U);
}

TEST(SliceScheduler, LimitsTheTimesThatAnEngineReports) {
    SliceScheduler scheduler(2);
    for (int i = 0; i < 3; ++i)
        scheduler.count_calls(1, {std::int64_t{1} << 60, std::int64_t{1} << 60});
    EXPECT_EQ(scheduler.times().python, std::int64_t{1} << 60);
    EXPECT_EQ(scheduler.slice_size(1000), 1U);
}

TEST(SliceScheduler, ChoosesTheEngineWithTheFewestSlices) {
    SliceScheduler scheduler(3);
    scheduler.count_calls(1, {0, kMillisecond});  // short: two slices each
    const std::vector<EngineLoad> engines{with_slices(2), with_slices(1), kIdle};
    EXPECT_EQ(scheduler.choose_engine(engines), 2U);
    const std::vector<EngineLoad> busy{with_slices(2), with_slices(1), with_slices(1)};
    EXPECT_EQ(scheduler.choose_engine(busy), 1U);
    const std::vector<EngineLoad> full{with_slices(2), with_slices(2), with_slices(2)};
    EXPECT_EQ(scheduler.choose_engine(full), std::nullopt);
}

TEST(SliceScheduler, QueuesNothingBehindALongSlice) {
    SliceScheduler scheduler(2);
    const std::vector<EngineLoad> engines{with_slices(1), with_slices(1)};
    EXPECT_EQ(scheduler.choose_engine(engines), std::nullopt);  // the duration is unknown
    scheduler.count_calls(1, {0, 100 * kMillisecond});
    EXPECT_EQ(scheduler.choose_engine(engines), std::nullopt);
    // A single engine gets it nevertheless.
    EXPECT_EQ(SliceScheduler(1).choose_engine(std::vector<EngineLoad>{with_slices(1)}), 0U);
}

TEST(SliceScheduler, GivesTheFirstEngineASliceBeforeItHasStarted) {
    const SliceScheduler scheduler(2);
    EXPECT_EQ(scheduler.choose_engine(std::vector<EngineLoad>{kStarting, kStarting}), 0U);
    EXPECT_EQ(scheduler.choose_engine(std::vector<EngineLoad>{with_slices(1), kStarting}),
              std::nullopt);
}

TEST(SliceScheduler, SkipsEnginesThatHaveFailed) {
    const SliceScheduler scheduler(2);
    EXPECT_EQ(scheduler.choose_engine(std::vector<EngineLoad>{kFailed, kIdle}), 1U);
    EXPECT_EQ(scheduler.choose_engine(std::vector<EngineLoad>{kFailed, kFailed}), std::nullopt);
}

TEST(SliceScheduler, WantsAnotherEngineWhenAllHaveStartedAndWork) {
    const SliceScheduler scheduler(3);
    using Loads = std::vector<EngineLoad>;
    EXPECT_FALSE(scheduler.needs_engine(Loads{kIdle}));
    EXPECT_FALSE(scheduler.needs_engine(Loads{kStarting}));
    EXPECT_TRUE(scheduler.needs_engine(Loads{with_slices(1)}));
    EXPECT_FALSE(scheduler.needs_engine(Loads{with_slices(1), kStarting}));
    EXPECT_FALSE(scheduler.needs_engine(Loads{with_slices(1), with_slices(1), with_slices(1)}));
    EXPECT_FALSE(SliceScheduler(1).needs_engine(Loads{with_slices(1)}));
}

TEST(SliceScheduler, WantsNoEngineAfterOneWasRefused) {
    SliceScheduler scheduler(3);
    scheduler.set_most_engines(1);
    EXPECT_FALSE(scheduler.needs_engine(std::vector<EngineLoad>{with_slices(1)}));
    EXPECT_EQ(scheduler.slice_size(7), 7U);
}

}  // namespace
}  // namespace epe::engine
