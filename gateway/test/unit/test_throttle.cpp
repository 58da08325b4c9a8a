// Tests of the login throttle.
#include "throttle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace epe::gateway {
namespace {

using std::chrono::seconds;

class ThrottleTest : public testing::Test {
   protected:
    void fail(const std::string& user, const std::string& address, int times) {
        for (int i = 0; i < times; ++i) {
            seconds refused{};
            auto attempt = throttle_.begin(user, address, refused);
            if (attempt) attempt->fail(now_);
        }
    }
    seconds delay(const std::string& user, const std::string& address) {
        return throttle_.delay(user, address, now_);
    }

    Throttle throttle_{100};
    // In the past, so that begin(), which uses the real time, always admits an attempt, but not
    // before the epoch of the steady clock, which is the boot time of the machine.
    const Throttle::Clock::time_point now_ =
        Throttle::Clock::now() -
        std::min<Throttle::Clock::duration>(std::chrono::hours(2),
                                            Throttle::Clock::now().time_since_epoch() / 2);
};

TEST_F(ThrottleTest, FourFailuresAreFree) {
    fail("ann", "10.0.0.1", 4);
    EXPECT_EQ(delay("ann", "10.0.0.1"), seconds(0));
}

TEST_F(ThrottleTest, EachFurtherOneDoublesTheDelay) {
    const int expected[] = {1, 2, 4, 8, 16, 32, 60, 60};
    fail("ann", "10.0.0.1", 4);
    for (const int each : expected) {
        fail("ann", "10.0.0.1", 1);
        EXPECT_EQ(delay("ann", "10.0.0.1"), seconds(each));
    }
}

TEST_F(ThrottleTest, OtherUsersAndAddressesAreFree) {
    fail("ann", "10.0.0.1", 8);
    EXPECT_GT(delay("ann", "10.0.0.1"), seconds(0));
    EXPECT_EQ(delay("bob", "10.0.0.1"), seconds(0));
    EXPECT_EQ(delay("ann", "10.0.0.2"), seconds(0));
}

TEST_F(ThrottleTest, AnAddressThatFailsForManyUsersIsRefusedForAll) {
    for (int i = 0; i < 49; ++i) fail("user" + std::to_string(i), "10.0.0.1", 1);
    EXPECT_EQ(delay("ann", "10.0.0.1"), seconds(0));
    fail("another", "10.0.0.1", 1);
    EXPECT_GT(delay("ann", "10.0.0.1"), seconds(0));
}

TEST_F(ThrottleTest, SuccessClearsTheUser) {
    fail("ann", "10.0.0.1", 4);
    seconds refused{};
    throttle_.begin("ann", "10.0.0.1", refused)->succeed(now_);
    fail("ann", "10.0.0.1", 4);
    EXPECT_EQ(delay("ann", "10.0.0.1"), seconds(0));
}

TEST_F(ThrottleTest, AnAttemptThatSaysNothingDoesNotCount) {
    seconds refused{};
    for (int i = 0; i < 20; ++i) (void)throttle_.begin("ann", "10.0.0.1", refused);
    EXPECT_EQ(delay("ann", "10.0.0.1"), seconds(0));
}

TEST_F(ThrottleTest, AddressesOfOneIpv6NetworkAreOne) {
    fail("ann", "2001:db8::1", 8);
    EXPECT_GT(delay("ann", "2001:db8::ffff"), seconds(0));
    EXPECT_EQ(delay("ann", "2001:db8:0:1::1"), seconds(0));
}

TEST_F(ThrottleTest, OldFailuresAreForgotten) {
    fail("ann", "10.0.0.1", 8);
    seconds refused{};
    throttle_.begin("ann", "10.0.0.1", refused)->fail(now_ + std::chrono::hours(1));
    EXPECT_EQ(throttle_.delay("ann", "10.0.0.1", now_ + std::chrono::hours(1)), seconds(0));
}

TEST_F(ThrottleTest, KeepsABoundedNumberOfRecords) {
    for (int i = 0; i < 1000; ++i)
        fail("u", "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), 1);
    EXPECT_LE(throttle_.records(), 100U);
}

TEST_F(ThrottleTest, RefusesWhileADelayRuns) {
    for (int i = 0; i < 5; ++i) {
        seconds refused{};
        throttle_.begin("ann", "10.0.0.1", refused)->fail();
    }
    seconds refused{};
    EXPECT_FALSE(throttle_.begin("ann", "10.0.0.1", refused));
    EXPECT_EQ(refused, seconds(1));
}

TEST_F(ThrottleTest, ABurstWaitsForItsFirstAttempts) {
    seconds refused{};
    std::vector<std::unique_ptr<std::optional<Throttle::Attempt>>> running;
    for (int i = 0; i < 5; ++i) {
        // Not make_unique: an attempt cannot be moved.
        running.emplace_back(
            new std::optional<Throttle::Attempt>(throttle_.begin("ann", "10.0.0.1", refused)));
        ASSERT_TRUE(*running.back());
    }
    bool is_let_in = true;
    std::thread sixth([&] {
        seconds its_refusal{};
        is_let_in = throttle_.begin("ann", "10.0.0.1", its_refusal).has_value();
    });
    for (const auto& each : running) (*each)->fail();
    running.clear();
    sixth.join();
    EXPECT_FALSE(is_let_in);
}

TEST_F(ThrottleTest, WhoHasLoggedInIsNotLockedOutByItsAddress) {
    {
        seconds refused{};
        auto attempt = throttle_.begin("ann", "10.0.0.1", refused);
        ASSERT_TRUE(attempt);
        attempt->succeed(now_);
    }
    for (int i = 0; i < 60; ++i) fail("user" + std::to_string(i), "10.0.0.1", 1);
    EXPECT_EQ(delay("ann", "10.0.0.1"), seconds(0));
    EXPECT_GT(delay("bob", "10.0.0.1"), seconds(0));
    fail("ann", "10.0.0.1", 5);
    EXPECT_GT(delay("ann", "10.0.0.1"), seconds(0));
}

}  // namespace
}  // namespace epe::gateway
