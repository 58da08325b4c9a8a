// The plan node of a call: its name, its scan methods and the function that it calls.
#pragma once

extern "C" {
#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/plannodes.h"
}

#include "pg/plan/planned_function.h"

namespace epe::pg {

/// The name of the node in EXPLAIN.
inline constexpr const char* kNodeName = "PythonEval";

/// Elements of custom_private: the declared columns of a function that returns records.
enum PrivateList : int { kColumnNames, kColumnTypes, kColumnModifiers, kColumnCollations };

/// Null unless it is one of the functions of install_plan_nodes(). A leaf.
const PlannedFunction* find_planned_function(Oid function) noexcept;

}  // namespace epe::pg
