// Calls of SQL functions whose rows are pulled: by a plan node, or by the function itself.
#pragma once

#include "core/pipeline/output_shape.h"
#include "core/request/request.h"
#include "pg/plan/planned_function.h"

namespace epe {

/// Called once, when PostgreSQL loads the library.
void install_planned_functions();

/// Pulls all rows into the result of the function.
void return_rows(pg::StartedCall started);

/// What EXPLAIN shows of a call whose result has this shape.
pg::CallProperties describe_request(const Request& request, const OutputShape& shape);

/// The rows that a call is expected to return, or -1: unknown. `is_joined`: the results of all
/// calls of the script's function become one row.
double estimate_rows(const Request& request, bool is_joined);

}  // namespace epe
