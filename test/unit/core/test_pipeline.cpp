// Tests of core/pipeline/pipeline: the plan of a request's calls, and where its results go.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/pipeline/pipeline.h"
#include "support/error_support.h"

namespace epe {
namespace {

/// Returns a row with the arguments of the script for each call.
class EchoEngine final : public Engine {
   public:
    void begin(const CallPlan& plan) override { plan_ = &plan; }
    void add_calls(Work work) override {
        for (const Call& call : work.calls) {
            BatchBuilder builder(plan_->shape->columns, BuildOptions{.share_text = false});
            for (std::size_t i = 0; i < plan_->shape->columns.size(); ++i)
                (void)builder.column(i).append_bytes(plan_->arguments_json.data(),
                                                     plan_->arguments_json.size());
            builder.end_row();
            CallResult result;
            result.call_number = call.number;
            result.call_name = call.name;
            result.input_row = call.input_row;
            result.input_row_count = call.row_count;
            result.batch = builder.finish();
            results_.push_back(std::move(result));
        }
    }
    void end_calls() override { has_all_calls_ = true; }
    EngineStep next(CallResult& result) override {
        if (results_.empty()) return has_all_calls_ ? EngineStep::kEnd : EngineStep::kNeedsCalls;
        result = std::move(results_.front());
        results_.pop_front();
        return EngineStep::kResult;
    }
    void stop() override { ++stops; }
    void report(CallStats& stats) const override { stats.engines = 1; }

    int stops = 0;

   private:
    const CallPlan* plan_ = nullptr;
    std::deque<CallResult> results_{};
    bool has_all_calls_ = false;
};

class TextSink final : public ResultSink {
   public:
    void add(CallResult result) override {
        const Column& column = result.batch.columns.back();
        for (std::int64_t row = 0; row < result.batch.length; ++row)
            texts.emplace_back(column.bytes_at(row),
                               static_cast<std::size_t>(column.bytes_length(row)));
    }
    std::vector<std::string> texts{};
};

Request index_request() {
    RawArguments raw;
    raw.script_name = "f";
    raw.times = 2;
    raw.parameters = R"({"oml_nan": "keep", "a": 1})";
    Request request = make_request(EvalFunction::kIndex, raw);
    request.pickled = "pickle";
    return request;
}

OutputShape text_shape(OutputFormat::Form form) {
    OutputShape shape;
    shape.form = form;
    shape.columns = {Field{"name", {Kind::kText, {}}}, Field{"value", {Kind::kText, {}}}};
    return shape;
}

std::vector<std::string> run(OutputFormat::Form form, std::optional<EvalFunction> joined_as) {
    const Request request = index_request();
    const OutputShape shape = text_shape(form);
    const Script script;
    CallPlan plan = make_call_plan(request, script, shape, nullptr, true);
    plan.joined_as = joined_as;
    const auto cut = make_cut(request, nullptr);
    EchoEngine engine;
    TextSink sink;
    Pipeline pipeline(*cut, engine, plan);
    for (CallResult result; pipeline.next(result); result = CallResult())
        sink.add(std::move(result));
    EXPECT_EQ(pipeline.stats().calls, 2);
    return sink.texts;
}

/// A pipeline over two calls, and what it borrows.
struct Steps {
    explicit Steps(OutputFormat::Form form, std::int64_t most_bytes = 0) : shape(text_shape(form)) {
        shape.most_bytes = most_bytes;
        script.owner = "ann";
        script.name = "f";
        plan = make_call_plan(request, script, shape, nullptr, true);
        cut = make_cut(request, nullptr);
        pipeline.emplace(*cut, engine, plan);
    }
    std::string place() const {
        ErrorReport report;
        report.context = "inner";
        pipeline->add_place(report);
        return report.context;
    }

    Request request = index_request();
    OutputShape shape;
    Script script{};
    CallPlan plan{};
    std::unique_ptr<Cut> cut{};
    EchoEngine engine{};
    std::optional<Pipeline> pipeline{};
    CallResult result{};
};

TEST(CallPlan, IsThatOfTheRequest) {
    const Request request = index_request();
    const OutputShape shape = text_shape(OutputFormat::Form::kXml);
    const Script script;
    const Schema schema{Field{"x", {Kind::kFloat64, {}}}};
    const CallPlan plan = make_call_plan(request, script, shape, &schema, true);
    EXPECT_EQ(plan.script, &script);
    EXPECT_EQ(plan.function, EvalFunction::kIndex);
    EXPECT_TRUE(plan.controls.keep_nan);
    EXPECT_EQ(plan.arguments_json, R"({"a":1})");
    EXPECT_EQ(plan.pickled, "pickle");
    EXPECT_TRUE(plan.is_trusted);
    EXPECT_EQ(plan.shape, &shape);
    EXPECT_EQ(plan.input, &schema);
    EXPECT_FALSE(plan.joined_as);
    EXPECT_FALSE(make_call_plan(request, script, shape, nullptr, false).is_trusted);
}

TEST(Pipeline, JoinsTheResultsOfCallsForJsonOnly) {
    const std::string one = R"({"a":1})";
    EXPECT_EQ(run(OutputFormat::Form::kJson, {}), (std::vector{"[" + one + "," + one + "]"}));
    EXPECT_EQ(run(OutputFormat::Form::kXml, {}), (std::vector{one, one}));
    EXPECT_EQ(run(OutputFormat::Form::kRelational, {}), (std::vector{one, one}));
}

TEST(Pipeline, JoinsTheResultsOfAReplayAsThoseOfItsJob) {
    EXPECT_EQ(run(OutputFormat::Form::kJson, EvalFunction::kGroup),
              (std::vector<std::string>{R"({"1":{"a":1},"2":{"a":1}})"}));
}

TEST(Pipeline, ReturnsOneResultPerStep) {
    Steps steps(OutputFormat::Form::kRelational);
    for (const std::int64_t number : {1, 2}) {
        ASSERT_TRUE(steps.pipeline->next(steps.result));
        EXPECT_EQ(steps.result.call_number, number);
        EXPECT_EQ(steps.pipeline->stats().rows_out, number);
        EXPECT_EQ(steps.place(), "inner\nscript \"ann.f\", index " + std::to_string(number));
        EXPECT_FALSE(steps.pipeline->is_over());
    }
    EXPECT_FALSE(steps.pipeline->next(steps.result));
    EXPECT_TRUE(steps.pipeline->is_over());
    EXPECT_FALSE(steps.pipeline->next(steps.result));
    steps.pipeline->stop();
    EXPECT_EQ(steps.engine.stops, 0);
}

TEST(Pipeline, StopsTheEngineOnceAndOnlyAfterItHasBegun) {
    Steps fresh(OutputFormat::Form::kRelational);
    fresh.pipeline->stop();
    EXPECT_EQ(fresh.engine.stops, 0);
    EXPECT_FALSE(fresh.pipeline->next(fresh.result));
    Steps steps(OutputFormat::Form::kRelational);
    ASSERT_TRUE(steps.pipeline->next(steps.result));
    steps.pipeline->stop();
    steps.pipeline->stop();
    EXPECT_EQ(steps.engine.stops, 1);
    EXPECT_FALSE(steps.pipeline->next(steps.result));
    EXPECT_EQ(steps.pipeline->stats().rows_out, 1);
}

TEST(Pipeline, NamesNoCallForJoinedResults) {
    Steps steps(OutputFormat::Form::kJson);
    EXPECT_EQ(steps.place(), "inner\nscript \"ann.f\"");
    ASSERT_TRUE(steps.pipeline->next(steps.result));
    EXPECT_EQ(steps.place(), "inner\nscript \"ann.f\"");
    EXPECT_FALSE(steps.pipeline->next(steps.result));
}

TEST(Pipeline, RejectsTheResultThatExceedsTheLimit) {
    const std::int64_t size = std::string_view(R"({"a":1})").size() * 2;  // two columns
    Steps steps(OutputFormat::Form::kXml, 2 * size - 1);
    ASSERT_TRUE(steps.pipeline->next(steps.result));
    const ErrorReport report =
        test::error_of("54000", [&] { (void)steps.pipeline->next(steps.result); });
    EXPECT_EQ(report.context, "script \"ann.f\", index 2");
    Steps within(OutputFormat::Form::kXml, 2 * size);
    while (within.pipeline->next(within.result)) {
    }
    EXPECT_EQ(within.pipeline->stats().rows_out, 2);
}

TEST(Pipeline, CountsTheTimeBetweenStepsIfItsConsumerTakesAll) {
    for (const bool takes_all : {false, true}) {
        Steps steps(OutputFormat::Form::kRelational);
        steps.plan.takes_all = takes_all;
        const std::int64_t start = now_nanoseconds();
        while (steps.pipeline->next(steps.result)) {
            const std::int64_t taken = now_nanoseconds();
            while (now_nanoseconds() - taken < 1'000'000) {
            }
        }
        const std::int64_t elapsed = now_nanoseconds() - start;
        const CallStats stats = steps.pipeline->stats();
        EXPECT_EQ(stats.calls, 2);
        EXPECT_EQ(stats.engines, 1);
        if (takes_all) {
            EXPECT_GE(stats.emit, 2'000'000);
        } else {
            EXPECT_EQ(stats.emit, 0);
        }
        EXPECT_GE(stats.total, stats.emit + stats.scan);
        EXPECT_LE(stats.total, elapsed);
    }
}

}  // namespace
}  // namespace epe
