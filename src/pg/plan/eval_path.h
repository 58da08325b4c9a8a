// Replaces the Function Scan of an eval function by a plan node that returns rows as they come.
#pragma once

#include <cstddef>

#include "pg/plan/planned_function.h"

namespace epe::pg {

/// Makes plan nodes for the functions. Called once, when PostgreSQL loads the library; the array is
/// borrowed. A leaf.
void install_plan_nodes(const PlannedFunction* functions, std::size_t count) noexcept;

}  // namespace epe::pg
