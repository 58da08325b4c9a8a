#include "core/pipeline/pipeline.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/pipeline/json_merger.h"

namespace epe {

bool takes_matrix(const Controls& controls, const Schema& schema) noexcept {
    if (controls.input_type != InputType::kDefault && controls.input_type != InputType::kNdarray)
        return false;
    if (controls.use_decimal || schema.empty()) return false;
    return std::all_of(schema.begin(), schema.end(),
                       [](const Field& field) { return is_numeric(field.type.kind); });
}

std::unique_ptr<Cut> make_cut(const Request& request, InputSource* source) {
    if (source == nullptr) return cut_by_index(request.function, request.times);
    BuildOptions options;
    options.as_matrix = takes_matrix(request.controls, source->schema());
    options.omit_incomplete = request.controls.omit_incomplete;
    // An Arrow consumer expects plain strings.
    options.share_text = request.controls.input_type != InputType::kArrow &&
                         request.controls.input_type != InputType::kPolars;
    switch (request.function) {
        case EvalFunction::kRow:
            return cut_by_rows(*source, options, request.row_count);
        case EvalFunction::kGroup:
            return request.controls.is_iterator ? cut_stream(*source, options, EvalFunction::kGroup)
                                                : cut_by_group(*source, options);
        default:
            return request.controls.is_iterator ? cut_stream(*source, options, EvalFunction::kTable)
                                                : cut_whole(*source, options);
    }
}

namespace {

/// Measures the time spent in the source it wraps.
class TimedSink final : public ResultSink {
   public:
    TimedSink(ResultSink& sink, CallStats& stats) : sink_(sink), stats_(stats) {}
    void add(CallResult result) override {
        stats_.rows_out += result.batch.length;
        const std::int64_t start = now_nanoseconds();
        sink_.add(std::move(result));
        stats_.emit += now_nanoseconds() - start;
    }

   private:
    ResultSink& sink_;
    CallStats& stats_;
};

/// Rejects results larger than OutputShape::most_bytes.
class LimitedSink final : public ResultSink {
   public:
    LimitedSink(ResultSink& sink, const OutputShape& shape)
        : sink_(sink), shape_(shape), left_(shape.most_bytes) {}
    void add(CallResult result) override {
        check(result.batch);
        sink_.add(std::move(result));
    }

    static bool limits(const OutputShape& shape) {
        const bool is_shown = shape.form == Form::kRelational || shape.form == Form::kJson ||
                              shape.form == Form::kXml || shape.form == Form::kPng;
        return is_shown && shape.most_bytes > 0;
    }

   private:
    using Form = OutputFormat::Form;

    void check(const Batch& batch) {
        ErrorReport report;
        if (shape_.form == Form::kRelational) {
            const bool is_small = memory_size(batch) <= static_cast<std::size_t>(shape_.most_bytes);
            if (is_small || largest_row(batch) <= shape_.most_bytes) return;
            report.detail = "A row of the result is larger.";
        } else {
            left_ -= text_size(batch);
            if (left_ >= 0) return;
            report.hint = "Ask for rows instead: give a column map or a row type in place of the "
                          "output format.";
        }
        report.sqlstate = sqlstate::kLimitExceeded;
        report.message =
            "Output exceeds maximum size of " + std::to_string(shape_.most_bytes) + " bytes";
        throw Error(std::move(report));
    }

    ResultSink& sink_;
    const OutputShape& shape_;
    std::int64_t left_;
};

void count_work(const Work& work, CallStats& stats) {
    stats.rows_in += work.batch.length;
    stats.calls += static_cast<std::int64_t>(work.calls.size());
}

}  // namespace

CallPlan make_call_plan(const Request& request, const Script& script, const OutputShape& shape,
                        const Schema* input, bool is_trusted) {
    CallPlan plan;
    plan.script = &script;
    plan.function = request.function;
    plan.controls = request.controls;
    plan.arguments_json = request.arguments_json;
    plan.pickled = request.pickled;
    plan.is_trusted = is_trusted;
    plan.shape = &shape;
    plan.input = input;
    return plan;
}

CallStats run_pipeline(Cut& cut, Engine& engine, const CallPlan& plan, ResultSink& sink) {
    CallStats stats;
    TimedSink timed(sink, stats);
    ResultSink* target = &timed;
    std::optional<JsonResult> joined;
    if (plan.shape->form == OutputFormat::Form::kJson)
        target = &joined.emplace(plan.joined_as.value_or(plan.function), *plan.shape);
    LimitedSink limited(*target, *plan.shape);
    if (LimitedSink::limits(*plan.shape)) target = &limited;
    const std::int64_t start = now_nanoseconds();
    engine.begin(plan);
    Work work;
    while (true) {
        const std::int64_t before = now_nanoseconds();
        const bool has_work = cut.next(work);
        stats.scan += now_nanoseconds() - before;
        if (!has_work) break;
        count_work(work, stats);
        engine.run_calls(std::move(work), *target);
    }
    engine.finish_request(*target);
    if (joined) timed.add(joined->release_rows());
    stats.total = now_nanoseconds() - start;
    engine.report(stats);
    // Apart from the function, the backend's own engine only converts.
    if (stats.engines == 0)
        stats.engine.convert = stats.total - stats.scan - stats.emit - stats.engine.python;
    return stats;
}

}  // namespace epe
