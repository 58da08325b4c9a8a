// Formats the location of a failure for an error's context.
#include "core/pipeline/call_context.h"

namespace epe {

std::string place_of(const CallPlan& plan, const Call* call) {
    std::string place = "script \"" + plan.script->owner + "." + plan.script->name + "\"";
    if (call == nullptr) return place;
    switch (plan.function) {
        case EvalFunction::kRow:
            return place + ", chunk " + std::to_string(call->number) + " (rows " +
                   std::to_string(call->input_row + 1) + " to " +
                   std::to_string(call->input_row + call->row_count) + ")";
        case EvalFunction::kGroup:
            return place + ", group \"" + call->name.value_or("") + "\"";
        case EvalFunction::kIndex:
            return place + ", index " + std::to_string(call->number);
        default:
            return place;
    }
}

void add_context(ErrorReport& report, const std::string& line) {
    report.context += (report.context.empty() ? "" : "\n") + line;
}

}  // namespace epe
