// Tests of engine/supervisor/request_queue: which request gets an engine, which engine is retired
// for it, and which request is refused.
#include "engine/supervisor/request_queue.h"

#include <gtest/gtest.h>

#include "support/supervisor_support.h"

namespace epe::engine {
namespace {

class Queue : public testing::Test {
   protected:
    /// Number of the request that gets an engine; 0: none does.
    std::uint64_t next_start(std::int64_t most_engines) {
        const QueueStep step = queue_.next_step(most_engines);
        const auto* start = std::get_if<StartStep>(&step);
        return start == nullptr ? 0 : start->request->order.number;
    }
    std::uint64_t next_refusal(std::int64_t most_engines) {
        const QueueStep step = queue_.next_step(most_engines);
        const auto* refusal = std::get_if<RefuseStep>(&step);
        return refusal == nullptr ? 0 : refusal->request->order.number;
    }
    bool is_waiting(std::int64_t most_engines) {
        return std::holds_alternative<std::monostate>(queue_.next_step(most_engines));
    }
    static EngineState state_of(const SupervisedEngine& engine) {
        return engine.status.page()->state.load();
    }

    test::Engines engines_{};
    RequestQueue queue_{engines_.list};
};

TEST_F(Queue, DoesNothingWithoutRequests) {
    EXPECT_TRUE(is_waiting(16));
    const SupervisedEngine& idle = engines_.add_engine(1, 5);
    EXPECT_TRUE(is_waiting(1));
    EXPECT_EQ(state_of(idle), EngineState::kIdle);
}

TEST_F(Queue, StartsTheOldestRequestFirst) {
    engines_.add_request(1).order.asked = 20;
    const SupervisedEngine& oldest = engines_.add_request(2);
    EXPECT_EQ(next_start(16), oldest.order.number);
}

TEST_F(Queue, PrefersClientsWithFewestEngines) {
    engines_.add_engine(1);
    engines_.add_request(1);
    const SupervisedEngine& second = engines_.add_request(2);
    EXPECT_EQ(next_start(16), second.order.number);
}

TEST_F(Queue, CountsForkingEngines) {
    engines_.add_request(1).phase = EnginePhase::kForking;
    engines_.add_request(1);
    const SupervisedEngine& second = engines_.add_request(2);
    EXPECT_EQ(next_start(16), second.order.number);
    EXPECT_EQ(next_start(1), 0U);
}

TEST_F(Queue, SkipsRolesAtTheirLimit) {
    engines_.add_engine(1, 0, 100);
    engines_.add_request(2, 100, 1);
    const SupervisedEngine& other = engines_.add_request(3, 200, 1);
    EXPECT_EQ(next_start(16), other.order.number);
}

TEST_F(Queue, RetiresTheEngineThatIsIdleLongest) {
    const SupervisedEngine& late = engines_.add_engine(1, 200);
    const SupervisedEngine& early = engines_.add_engine(2, 100);
    const SupervisedEngine& busy = engines_.add_engine(3);
    engines_.add_request(4);
    EXPECT_TRUE(is_waiting(3));
    EXPECT_EQ(state_of(early), EngineState::kRetired);
    EXPECT_EQ(state_of(late), EngineState::kIdle);
    EXPECT_EQ(state_of(busy), EngineState::kBusy);
    // One at a time: its end makes room for the request.
    EXPECT_TRUE(is_waiting(3));
    EXPECT_EQ(state_of(late), EngineState::kIdle);
}

TEST_F(Queue, RetiresForARoleOnlyEnginesOfThatRole) {
    const SupervisedEngine& other = engines_.add_engine(1, 100, 200);
    const SupervisedEngine& same = engines_.add_engine(2, 200, 100);
    engines_.add_request(3, 100, 1);
    EXPECT_TRUE(is_waiting(16));
    EXPECT_EQ(state_of(same), EngineState::kRetired);
    EXPECT_EQ(state_of(other), EngineState::kIdle);
}

TEST_F(Queue, WaitsForABusyEngineOfAClientThatDoesNotWait) {
    engines_.add_engine(1);
    engines_.add_request(2);
    EXPECT_TRUE(is_waiting(1));
}

TEST_F(Queue, RefusesANestedCallThatWaitsForItsOwnEngine) {
    engines_.add_engine(1);
    const SupervisedEngine& nested = engines_.add_request(1);
    const QueueStep step = queue_.next_step(1);
    const auto* refusal = std::get_if<RefuseStep>(&step);
    ASSERT_NE(refusal, nullptr);
    EXPECT_EQ(refusal->request->order.number, nested.order.number);
    EXPECT_NE(refusal->report.detail.find("\"oml_epe.max_engines\" allows 1 engine, which runs"),
              std::string::npos);
}

TEST_F(Queue, RefusesTheYoungestOfSessionsThatWaitForEachOther) {
    engines_.add_engine(1);
    engines_.add_engine(2);
    engines_.add_request(1);
    const SupervisedEngine& youngest = engines_.add_request(2);
    EXPECT_EQ(next_refusal(2), youngest.order.number);
}

TEST_F(Queue, DoesNotRefuseWhileAnotherSessionCanContinue) {
    engines_.add_engine(1);
    engines_.add_engine(2);  // its client requests nothing
    engines_.add_request(1);
    EXPECT_TRUE(is_waiting(2));
}

TEST_F(Queue, RefusesANestedCallAtTheLimitOfItsRole) {
    engines_.add_engine(1, 0, 100);
    const SupervisedEngine& nested = engines_.add_request(1, 100, 1);
    const QueueStep step = queue_.next_step(16);
    const auto* refusal = std::get_if<RefuseStep>(&step);
    ASSERT_NE(refusal, nullptr);
    EXPECT_EQ(refusal->request->order.number, nested.order.number);
    EXPECT_NE(refusal->report.detail.find("\"oml_epe.max_engines_per_role\""), std::string::npos);
}

TEST_F(Queue, RefusesAFurtherEngineOfAParallelCallThatHasAllEngines) {
    engines_.add_engine(1);
    const SupervisedEngine& further = engines_.add_request(1, 0, 0, /* is_first */ false);
    EXPECT_EQ(next_refusal(1), further.order.number);
}

TEST_F(Queue, KeepsAFurtherEngineWaitingForOtherSessions) {
    engines_.add_engine(1);
    engines_.add_engine(2);
    engines_.add_request(1, 0, 0, /* is_first */ false);
    EXPECT_TRUE(is_waiting(2));
}

TEST_F(Queue, WaitsForAnEngineThatEnds) {
    engines_.add_engine(1).is_forgotten = true;
    engines_.add_request(1);
    EXPECT_TRUE(is_waiting(1));
}

TEST_F(Queue, RetiresEnginesThatWereIdleTooLong) {
    const SupervisedEngine& early = engines_.add_engine(1, 100);
    const SupervisedEngine& late = engines_.add_engine(1, 200);
    const SupervisedEngine& busy = engines_.add_engine(1);
    queue_.retire_idle(150);
    EXPECT_EQ(state_of(early), EngineState::kRetired);
    EXPECT_EQ(state_of(late), EngineState::kIdle);
    EXPECT_EQ(state_of(busy), EngineState::kBusy);
}

}  // namespace
}  // namespace epe::engine
