// Tests of engine/client/ordered_delivery.
#include "engine/client/ordered_delivery.h"

#include <gtest/gtest.h>

#include "support/engine_support.h"
#include "support/error_support.h"

namespace epe::engine {
namespace {

using test::FakeHost;
using test::FakeRequest;

using Numbers = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

struct Delivery {
    /// A slice of `count` calls, numbered from `first`.
    Slice& slice(std::int64_t first, std::int64_t count) {
        return ordered.append_slice(request.work(first, count).calls);
    }
    void add_result(Slice& to, std::int64_t number, std::size_t bytes = 1) {
        CallResult result;
        result.call_number = number;
        ordered.add_event(to, std::move(result), bytes);
    }
    void add_line(Slice& to, const char* text, bool is_warning = false) {
        ordered.add_event(to, Line{is_warning, text}, 1);
    }
    /// The numbers of the calls whose results can be taken now.
    Numbers take_all() {
        Numbers numbers;
        CallResult result;
        while (ordered.next(result)) numbers.push_back(result.call_number);
        return numbers;
    }

    FakeRequest request{};
    FakeHost host{};
    OrderedDelivery ordered{host};
};

TEST(OrderedDelivery, PrintsALineAtOnceIfNoResultPrecedesIt) {
    Delivery delivery;
    Slice& slice = delivery.slice(1, 2);
    delivery.add_line(slice, "before");
    EXPECT_EQ(delivery.host.notices, Texts{"before"});
    delivery.add_result(slice, 1);
    delivery.add_line(slice, "after");
    EXPECT_EQ(delivery.host.notices, Texts{"before"});
    EXPECT_EQ(delivery.take_all(), Numbers{1});
    EXPECT_EQ(delivery.host.notices, (Texts{"before", "after"}));
}

TEST(OrderedDelivery, ReturnsOneResultAtATime) {
    Delivery delivery;
    Slice& slice = delivery.slice(1, 2);
    delivery.add_result(slice, 1);
    delivery.add_line(slice, "between");
    delivery.add_result(slice, 2);
    delivery.ordered.complete_slice(slice);
    CallResult result;
    ASSERT_TRUE(delivery.ordered.next(result));
    EXPECT_EQ(result.call_number, 1);
    EXPECT_TRUE(delivery.host.notices.empty());
    ASSERT_TRUE(delivery.ordered.next(result));
    EXPECT_EQ(result.call_number, 2);
    EXPECT_EQ(delivery.host.notices, Texts{"between"});
    EXPECT_FALSE(delivery.ordered.next(result));
    EXPECT_TRUE(delivery.ordered.is_empty());
}

TEST(OrderedDelivery, KeepsLaterSlicesBack) {
    Delivery delivery;
    Slice& first = delivery.slice(1, 1);
    Slice& second = delivery.slice(2, 1);
    delivery.add_line(second, "second");
    delivery.add_result(second, 2);
    delivery.ordered.complete_slice(second);
    EXPECT_EQ(delivery.take_all(), Numbers{});
    EXPECT_TRUE(delivery.host.notices.empty());
    delivery.add_line(first, "first");
    delivery.add_result(first, 1);
    delivery.ordered.complete_slice(first);
    EXPECT_EQ(delivery.take_all(), (Numbers{1, 2}));
    EXPECT_EQ(delivery.host.notices, (Texts{"first", "second"}));
    EXPECT_TRUE(delivery.ordered.is_empty());
}

TEST(OrderedDelivery, ThrowsTheFirstFailureAfterTheResultsBeforeIt) {
    Delivery delivery;
    Slice& first = delivery.slice(1, 2);
    Slice& second = delivery.slice(3, 1);
    second.failure = Error("22012", "later").report();
    EXPECT_EQ(delivery.take_all(), Numbers{});
    delivery.add_result(first, 1);
    first.failure = Error("38000", "earlier").report();
    CallResult result;
    ASSERT_TRUE(delivery.ordered.next(result));
    EXPECT_EQ(result.call_number, 1);
    const ErrorReport report =
        test::error_of("38000", [&] { (void)delivery.ordered.next(result); });
    EXPECT_EQ(report.message, "earlier");
}

TEST(OrderedDelivery, IsFullWhileManyBytesWait) {
    constexpr std::size_t kMany = std::size_t{64} << 20;
    Delivery delivery;
    Slice& first = delivery.slice(1, 1);
    Slice& second = delivery.slice(2, 1);
    delivery.add_result(second, 2, kMany);
    EXPECT_TRUE(delivery.ordered.is_full());
    EXPECT_TRUE(delivery.ordered.is_first(first));
    EXPECT_FALSE(delivery.ordered.is_first(second));
    delivery.ordered.complete_slice(first);
    EXPECT_EQ(delivery.take_all(), Numbers{2});
    EXPECT_FALSE(delivery.ordered.is_full());
    // The results of the first slice count too, while they wait for the consumer.
    delivery.add_result(second, 2, kMany);
    EXPECT_TRUE(delivery.ordered.is_full());
}

TEST(OrderedDelivery, DropsWhatWaits) {
    Delivery delivery;
    (void)delivery.slice(1, 1);
    Slice& second = delivery.slice(2, 1);
    delivery.add_result(second, 2, std::size_t{64} << 20);
    delivery.ordered.clear();
    EXPECT_TRUE(delivery.ordered.is_empty());
    EXPECT_FALSE(delivery.ordered.is_full());
    EXPECT_EQ(delivery.take_all(), Numbers{});
}

TEST(OrderedDelivery, SendsAWarningOnce) {
    Delivery delivery;
    Slice& slice = delivery.slice(1, 1);
    for (int i = 0; i < 3; ++i) delivery.add_line(slice, "old", /* is_warning */ true);
    delivery.ordered.print_line({/* is_warning */ true, "old"});
    EXPECT_EQ(delivery.host.warnings, Texts{"old"});
    delivery.ordered.print_line({/* is_warning */ false, "old"});
    EXPECT_EQ(delivery.host.notices, Texts{"old"});
}

}  // namespace
}  // namespace epe::engine
