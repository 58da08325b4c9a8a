// The planner's support function of the eval functions.
#include "pg/plan/call_estimate.h"

#include "pg/boundary/boundary.h"
#include "pg/boundary/function_call.h"
#include "pg/plan/eval_path_internal.h"

extern "C" {
#include "fmgr.h"
#include "nodes/supportnodes.h"
}

namespace epe::pg {

namespace {

/// The rows of whose number the planner asks; null for other requests.
SupportRequestRows* rows_request(FunctionCallInfo info) noexcept {
    auto* request = reinterpret_cast<Node*>(DatumGetPointer(info->args[0].value));
    if (!IsA(request, SupportRequestRows)) return nullptr;
    auto* rows = reinterpret_cast<SupportRequestRows*>(request);
    return rows->node != nullptr && IsA(rows->node, FuncExpr) ? rows : nullptr;
}

/// The call with the arguments that are constants; the others are NULL.
FunctionCallInfo known_call(const FuncExpr* expression) noexcept {
    const auto count = static_cast<short>(list_length(expression->args));
    auto* info = static_cast<FmgrInfo*>(palloc0(sizeof(FmgrInfo)));
    fmgr_info(expression->funcid, info);
    fmgr_info_set_expr(reinterpret_cast<Node*>(const_cast<FuncExpr*>(expression)), info);
    auto* call = static_cast<FunctionCallInfo>(
        palloc0(SizeForFunctionCallInfo(static_cast<std::size_t>(count))));
    InitFunctionCallInfoData(*call, info, count, expression->inputcollid, nullptr, nullptr);
    for (int i = 0; i < count; ++i) {
        const auto* argument = static_cast<Node*>(list_nth(expression->args, i));
        call->args[i].isnull = true;
        if (!IsA(argument, Const)) continue;
        const auto* constant = reinterpret_cast<const Const*>(argument);
        call->args[i] = {constant->constvalue, constant->constisnull};
    }
    return call;
}

/// Arguments that are not known yet, or that the call will reject, have no estimate.
double estimate(const PlannedFunction& function, FunctionCallInfo call) {
    try {
        return function.estimate(FunctionCall(call));
    } catch (const PgError&) {
        throw;
    } catch (const Error&) {
        return -1;
    }
}

}  // namespace

void* answer_support_request(const FunctionCall& call) {
    FunctionCallInfo info = call.info();
    SupportRequestRows* request = guarded([=]() noexcept { return rows_request(info); });
    if (request == nullptr) return nullptr;
    const Oid oid = request->funcid;
    const PlannedFunction* function =
        guarded([=]() noexcept { return find_planned_function(oid); });
    if (function == nullptr) return nullptr;
    const auto* expression = reinterpret_cast<const FuncExpr*>(request->node);
    FunctionCallInfo known = guarded([=]() noexcept { return known_call(expression); });
    const double rows = estimate(*function, known);
    if (rows < 0) return nullptr;
    request->rows = rows;
    return request;
}

}  // namespace epe::pg
