// The SQL functions whose calls in FROM become plan nodes, and what a node needs of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/pipeline/running_call.h"
#include "pg/output/result_target.h"

struct FunctionCallInfoBaseData;

namespace epe::pg {

class FunctionCall;

/// A call whose rows are pulled. Without `rows` the function has returned its rows as any
/// set-returning function does, through call.info().
struct StartedCall {
    std::optional<ResultTarget> target{};
    std::unique_ptr<RunningCall> rows{};
};

/// One property that EXPLAIN shows.
struct CallProperty {
    std::string label{};
    std::variant<std::string, std::int64_t> value{};
};
using CallProperties = std::vector<CallProperty>;

/// One C function.
struct PlannedFunction {
    std::uintptr_t (*function)(FunctionCallInfoBaseData*);
    /// Validates the arguments and looks up the script; Python runs in the first step of the rows.
    /// `takes_all`: as in CallPlan.
    StartedCall (*start)(const FunctionCall& call, bool takes_all);
    /// Runs no Python and starts no engine. Arguments that only the execution knows are NULL.
    /// Throws the errors of the arguments.
    CallProperties (*describe)(const FunctionCall& call);
    /// Rows that the planner expects; negative: unknown. The arguments are those that are known
    /// when the query is planned; the others are NULL.
    double (*estimate)(const FunctionCall& call);
};

}  // namespace epe::pg
