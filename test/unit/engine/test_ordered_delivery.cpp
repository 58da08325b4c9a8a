// Tests of engine/client/ordered_delivery.
#include "engine/client/ordered_delivery.h"

#include <gtest/gtest.h>

#include "support/engine_support.h"
#include "support/error_support.h"

namespace epe::engine {
namespace {

using test::FakeHost;
using test::FakeRequest;
using test::FakeSink;

using Numbers = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

struct Delivery {
    Delivery() { ordered.set_plan(request.plan); }

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

    FakeRequest request{};
    FakeHost host{};
    FakeSink sink{};
    OrderedDelivery ordered{host};
};

TEST(OrderedDelivery, DeliversTheFirstSliceAtOnce) {
    Delivery delivery;
    delivery.ordered.set_sink(delivery.sink);
    Slice& slice = delivery.slice(1, 2);
    delivery.add_result(slice, 1);
    EXPECT_EQ(delivery.sink.call_numbers(), Numbers{1});
    delivery.add_line(slice, "printed");
    EXPECT_EQ(delivery.host.notices, Texts{"printed"});
}

TEST(OrderedDelivery, KeepsLaterSlicesBack) {
    Delivery delivery;
    delivery.ordered.set_sink(delivery.sink);
    Slice& first = delivery.slice(1, 1);
    Slice& second = delivery.slice(2, 1);
    delivery.add_line(second, "second");
    delivery.add_result(second, 2);
    delivery.ordered.complete_slice(second);
    delivery.ordered.deliver_ready();
    EXPECT_TRUE(delivery.sink.results.empty());
    EXPECT_TRUE(delivery.host.notices.empty());
    delivery.add_line(first, "first");
    delivery.add_result(first, 1);
    delivery.ordered.complete_slice(first);
    delivery.ordered.deliver_ready();
    EXPECT_EQ(delivery.sink.call_numbers(), (Numbers{1, 2}));
    EXPECT_EQ(delivery.host.notices, (Texts{"first", "second"}));
    EXPECT_TRUE(delivery.ordered.is_empty());
}

TEST(OrderedDelivery, WaitsForASink) {
    Delivery delivery;
    Slice& slice = delivery.slice(1, 1);
    delivery.add_result(slice, 1);
    delivery.ordered.deliver_ready();
    EXPECT_TRUE(delivery.sink.results.empty());
    delivery.ordered.set_sink(delivery.sink);
    delivery.ordered.deliver_ready();
    EXPECT_EQ(delivery.sink.call_numbers(), Numbers{1});
}

TEST(OrderedDelivery, ThrowsTheFirstFailureAfterTheResultsBeforeIt) {
    Delivery delivery;
    delivery.ordered.set_sink(delivery.sink);
    Slice& first = delivery.slice(1, 2);
    Slice& second = delivery.slice(3, 1);
    second.failure = Error("22012", "later").report();
    delivery.ordered.deliver_ready();
    delivery.add_result(first, 1);
    first.failure = Error("38000", "earlier").report();
    const ErrorReport report = test::error_of("38000", [&] { delivery.ordered.deliver_ready(); });
    EXPECT_EQ(report.message, "earlier");
    EXPECT_EQ(delivery.sink.call_numbers(), Numbers{1});
}

TEST(OrderedDelivery, IsFullWhileManyBytesWait) {
    Delivery delivery;
    delivery.ordered.set_sink(delivery.sink);
    Slice& first = delivery.slice(1, 1);
    Slice& second = delivery.slice(2, 1);
    delivery.add_result(second, 2, std::size_t{64} << 20);
    EXPECT_TRUE(delivery.ordered.is_full());
    EXPECT_TRUE(delivery.ordered.is_first(first));
    EXPECT_FALSE(delivery.ordered.is_first(second));
    delivery.ordered.complete_slice(first);
    delivery.ordered.deliver_ready();
    EXPECT_FALSE(delivery.ordered.is_full());
    EXPECT_EQ(delivery.sink.call_numbers(), Numbers{2});
}

TEST(OrderedDelivery, NamesTheCallWhoseResultTheSinkRefuses) {
    Delivery delivery;
    delivery.ordered.set_sink(delivery.sink);
    delivery.sink.on_add = [](const CallResult&) { throw Error("22003", "out of range"); };
    Slice& slice = delivery.slice(5, 3);
    const ErrorReport report = test::error_of("22003", [&] { delivery.add_result(slice, 6); });
    EXPECT_NE(report.context.find("6"), std::string::npos) << report.context;
}

TEST(OrderedDelivery, SendsAWarningOnce) {
    Delivery delivery;
    delivery.ordered.set_sink(delivery.sink);
    Slice& slice = delivery.slice(1, 1);
    for (int i = 0; i < 3; ++i) delivery.add_line(slice, "old", /* is_warning */ true);
    delivery.ordered.print_line({/* is_warning */ true, "old"});
    EXPECT_EQ(delivery.host.warnings, Texts{"old"});
    delivery.ordered.print_line({/* is_warning */ false, "old"});
    EXPECT_EQ(delivery.host.notices, Texts{"old"});
}

}  // namespace
}  // namespace epe::engine
