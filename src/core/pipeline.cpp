#include "core/pipeline.h"

#include <algorithm>

#include "core/json_result.h"

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

void run_pipeline(Cut& cut, Engine& engine, const CallPlan& plan, ResultSink& sink) {
    const bool joins_results = plan.shape->form == OutputFormat::Form::kJson;
    JsonResult joined(plan.function, *plan.shape);
    ResultSink& target = joins_results ? static_cast<ResultSink&>(joined) : sink;
    engine.begin(plan);
    Work work;
    while (cut.next(work)) engine.run(std::move(work), target);
    engine.finish(target);
    if (joins_results) sink.add(joined.finish());
}

}  // namespace epe
