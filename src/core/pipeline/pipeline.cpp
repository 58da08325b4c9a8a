#include "core/pipeline/pipeline.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/pipeline/call_context.h"

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

using Form = OutputFormat::Form;

/// Whether results of this form have a maximum size.
bool has_limit(const OutputShape& shape) noexcept {
    const bool is_shown = shape.form == Form::kRelational || shape.form == Form::kJson ||
                          shape.form == Form::kXml || shape.form == Form::kPng;
    return is_shown && shape.most_bytes > 0;
}

/// Adds the time that it lives to a counter.
class Stopwatch {
   public:
    explicit Stopwatch(std::int64_t& counter) noexcept : counter_(counter) {}
    ~Stopwatch() { counter_ += now_nanoseconds() - start_; }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

   private:
    std::int64_t& counter_;
    std::int64_t start_ = now_nanoseconds();
};

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

Pipeline::Pipeline(Cut& cut, Engine& engine, const CallPlan& plan)
    : cut_(cut), engine_(engine), plan_(plan), is_limited_(has_limit(*plan.shape)),
      bytes_left_(plan.shape->most_bytes) {
    if (plan.shape->form == Form::kJson)
        joined_.emplace(plan.joined_as.value_or(plan.function), *plan.shape);
}

bool Pipeline::next(CallResult& result) {
    if (state_ == State::kOver) return false;
    const std::int64_t start = now_nanoseconds();
    if (plan_.takes_all && returned_ > 0) stats_.emit += start - returned_;
    if (state_ == State::kNew) {
        state_ = State::kRunning;
        engine_.begin(plan_);
    }
    const bool has_result = advance(result);
    returned_ = now_nanoseconds();
    stats_.total += returned_ - start;
    if (has_result)
        stats_.rows_out += result.batch.length;
    else
        state_ = State::kOver;
    return has_result;
}

/// Runs the engine up to a result for the consumer; false at the end.
bool Pipeline::advance(CallResult& result) {
    while (true) {
        switch (engine_.next(result)) {
            case EngineStep::kResult:
                if (take_result(result)) return true;
                break;
            case EngineStep::kNeedsCalls:
                feed_engine();
                break;
            case EngineStep::kEnd:
                if (!joined_) return false;
                result = joined_->release_rows();
                joined_.reset();
                last_.reset();
                return true;
        }
    }
}

/// False when the result waits for others, to be joined with them.
bool Pipeline::take_result(CallResult& result) {
    if (!last_) last_.emplace();
    last_->number = result.call_number;
    last_->input_row = result.input_row;
    last_->row_count = result.input_row_count;
    if (plan_.function == EvalFunction::kGroup) last_->name = result.call_name;
    const bool is_joined = joined_.has_value();
    if (!is_limited_ && !is_joined) return true;
    try {
        if (is_limited_) check_limits(result.batch);
        if (!is_joined) return true;
        joined_->add(std::move(result));
        return false;
    } catch (Error& error) {
        add_place(error.report());
        throw;
    }
}

void Pipeline::feed_engine() {
    Work work;
    bool has_work = false;
    {
        const Stopwatch watch(stats_.scan);
        has_work = cut_.next(work);
    }
    if (!has_work) return engine_.end_calls();
    stats_.rows_in += work.batch.length;
    stats_.calls += static_cast<std::int64_t>(work.calls.size());
    engine_.add_calls(std::move(work));
}

void Pipeline::check_limits(const Batch& batch) {
    const OutputShape& shape = *plan_.shape;
    ErrorReport report;
    if (shape.form == Form::kRelational) {
        const bool is_small = memory_size(batch) <= static_cast<std::size_t>(shape.most_bytes);
        if (is_small || largest_row(batch) <= shape.most_bytes) return;
        report.detail = "A row of the result is larger.";
    } else {
        bytes_left_ -= text_size(batch);
        if (bytes_left_ >= 0) return;
        report.hint = "Ask for rows instead: give a column map or a row type in place of the "
                      "output format.";
    }
    report.sqlstate = sqlstate::kLimitExceeded;
    report.message =
        "Output exceeds maximum size of " + std::to_string(shape.most_bytes) + " bytes";
    throw Error(std::move(report));
}

void Pipeline::stop() {
    if (state_ == State::kRunning) {
        const Stopwatch watch(stats_.total);
        engine_.stop();
    }
    state_ = State::kOver;
}

void Pipeline::add_place(ErrorReport& report) const {
    add_context(report, place_of(plan_, last_ ? &*last_ : nullptr));
}

CallStats Pipeline::stats() const {
    CallStats stats = stats_;
    stats.total += stats.emit;
    engine_.report(stats);
    // Apart from the function, the backend's own engine only converts.
    if (stats.engines == 0)
        stats.engine.convert = stats.total - stats.scan - stats.emit - stats.engine.python;
    return stats;
}

}  // namespace epe
