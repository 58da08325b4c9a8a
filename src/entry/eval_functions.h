// The SQL functions that run scripts: pyq_eval and the other four eval functions.
#pragma once

#include <span>

#include "pg/plan/planned_function.h"

namespace epe {

/// Those that plan nodes can run.
std::span<const pg::PlannedFunction> planned_eval_functions() noexcept;

}  // namespace epe
