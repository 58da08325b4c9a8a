// pyqsys.apply and pyqsys.submit, which package oml calls.
#pragma once

#include <span>

#include "pg/plan/planned_function.h"

namespace epe {

/// Those that plan nodes can run.
std::span<const pg::PlannedFunction> planned_apply_functions() noexcept;

}  // namespace epe
