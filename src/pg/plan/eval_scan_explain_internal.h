// What EXPLAIN shows of the plan node.
#pragma once

extern "C" {
#include "postgres.h"

#include "nodes/execnodes.h"
}

struct ExplainState;

namespace epe::pg {

/// Properties of the call and, with ANALYZE, what it did.
void explain_eval_scan(CustomScanState* node, List* ancestors, ExplainState* explain);

}  // namespace epe::pg
