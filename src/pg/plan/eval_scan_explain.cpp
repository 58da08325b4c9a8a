// What EXPLAIN shows of the plan node of a call.
#include "pg/plan/eval_scan_explain_internal.h"

#include <string>

#include "core/error.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/boundary/function_call.h"
#include "pg/boundary/raising.h"
#include "pg/plan/eval_call_internal.h"

extern "C" {
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "executor/executor.h"
#include "executor/instrument.h"
}

namespace epe::pg {

namespace {

/// Sets the arguments of the call that are constants or parameters of the statement; the others,
/// which only the execution knows, are NULL.
void set_known_arguments(EvalScanState* state) noexcept {
    const auto* scan = reinterpret_cast<const CustomScan*>(state->node.ss.ps.plan);
    const auto* expression = static_cast<const FuncExpr*>(linitial(scan->custom_exprs));
    int position = 0;
    ListCell* cell = nullptr;
    ListCell* evaluated = nullptr;
    forboth(cell, expression->args, evaluated, state->arguments) {
        NullableDatum& argument = state->call->args[position++];
        argument = {0, true};
        const auto* node = static_cast<const Node*>(lfirst(cell));
        const bool is_parameter =
            IsA(node, Param) && reinterpret_cast<const Param*>(node)->paramkind == PARAM_EXTERN;
        if (!IsA(node, Const) && !is_parameter) continue;
        argument.value = ExecEvalExpr(static_cast<ExprState*>(lfirst(evaluated)),
                                      state->node.ss.ps.ps_ExprContext, &argument.isnull);
    }
}

void show_property(const CallProperty& property, ExplainState* explain) {
    const char* label = property.label.c_str();
    if (const auto* number = std::get_if<std::int64_t>(&property.value)) {
        guarded([=]() noexcept { ExplainPropertyInteger(label, nullptr, *number, explain); });
        return;
    }
    const auto& text = std::get<std::string>(property.value);
    const char* utf8 = text.data();
    const std::size_t given = text.size();
    guarded([=]() noexcept {
        std::size_t size = given;
        const char* value = from_utf8(utf8, &size);
        ExplainPropertyText(label, pnstrdup(value, size), explain);
    });
}

void show_properties(EvalScanState* state, ExplainState* explain) {
    CallProperties properties;
    try {
        properties = state->function->describe(FunctionCall(state->call));
    } catch (const PgError&) {
        throw;
    } catch (const Error&) {
        // An argument that only the execution knows, or one that it will reject.
        properties.push_back({"Script", "(known when the call runs)"});
    }
    for (const CallProperty& each : properties) show_property(each, explain);
}

void show_milliseconds(const char* label, std::int64_t nanoseconds,
                       ExplainState* explain) noexcept {
    ExplainPropertyFloat(label, "ms", static_cast<double>(nanoseconds) / 1e6, 3, explain);
}

void show_figures(const EvalScanState* state, ExplainState* explain) noexcept {
    const CallStats& stats = state->stats;
    ExplainPropertyInteger("Script Calls", nullptr, stats.calls, explain);
    ExplainPropertyInteger("Rows In", nullptr, stats.rows_in, explain);
    ExplainPropertyInteger("Rows Out", nullptr, stats.rows_out, explain);
    if (stats.engines > 0) ExplainPropertyInteger("Engines Used", nullptr, stats.engines, explain);
    if (state->kept != nullptr)
        ExplainPropertyText("Kept Rows", tuplestore_in_memory(state->kept) ? "memory" : "disk",
                            explain);
    if (!explain->timing) return;
    show_milliseconds("Scan Time", stats.scan, explain);
    show_milliseconds("Convert Time", stats.engine.convert, explain);
    show_milliseconds("Wait Time", stats.wait, explain);
    show_milliseconds("Python Time", stats.engine.python, explain);
}

}  // namespace

void explain_eval_scan(CustomScanState* node, List*, ExplainState* explain) {
    auto* state = reinterpret_cast<EvalScanState*>(node);
    set_known_arguments(state);
    raising([=] { show_properties(state, explain); });
    if (explain->analyze && state->calls_started > 0) {
        collect_stats(state);
        show_figures(state, explain);
    }
}

}  // namespace epe::pg
