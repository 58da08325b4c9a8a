// The SQL functions of jobs.
#pragma once

#include <span>

#include "pg/plan/planned_function.h"

namespace epe {

/// Those that plan nodes can run.
std::span<const pg::PlannedFunction> planned_job_functions() noexcept;

}  // namespace epe
