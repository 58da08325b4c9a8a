// Whether a plan node may have to return the same rows again.
#pragma once

extern "C" {
#include "postgres.h"

#include "nodes/execnodes.h"
}

namespace epe::pg {

/// Whether the plan may rescan this node without a change of `parameters`, the executor parameters
/// of its arguments. `eflags` are those of its initialization. A leaf.
bool may_repeat_rows(const PlanState& node, const Bitmapset* parameters, int eflags) noexcept;

}  // namespace epe::pg
