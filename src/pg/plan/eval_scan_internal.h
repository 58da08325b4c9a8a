// The executor's side of the plan node.
#pragma once

extern "C" {
#include "postgres.h"

#include "nodes/extensible.h"
}

namespace epe::pg {

/// Creates the execution state of a node.
const CustomScanMethods* scan_methods() noexcept;

}  // namespace epe::pg
