// Tests of core/pipeline/pipeline: the plan of a request's calls, and where its results go.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/pipeline/pipeline.h"

namespace epe {
namespace {

/// Returns a row with the arguments of the script for each call.
class EchoEngine final : public Engine {
   public:
    void begin(const CallPlan& plan) override { plan_ = &plan; }
    void run_calls(Work work, ResultSink& sink) override {
        for (const Call& call : work.calls) {
            BatchBuilder builder(plan_->shape->columns, BuildOptions{.share_text = false});
            for (std::size_t i = 0; i < plan_->shape->columns.size(); ++i)
                (void)builder.column(i).append_bytes(plan_->arguments_json.data(),
                                                     plan_->arguments_json.size());
            builder.end_row();
            CallResult result;
            result.call_number = call.number;
            result.call_name = call.name;
            result.batch = builder.finish();
            sink.add(std::move(result));
        }
    }
    void finish_request(ResultSink&) override {}
    void report(CallStats& stats) const override { stats.engines = 1; }

   private:
    const CallPlan* plan_ = nullptr;
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
    const CallStats stats = run_pipeline(*cut, engine, plan, sink);
    EXPECT_EQ(stats.calls, 2);
    return sink.texts;
}

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

}  // namespace
}  // namespace epe
