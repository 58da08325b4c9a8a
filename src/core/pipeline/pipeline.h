// Runs a request: the input is partitioned, an engine runs the calls, results go to a sink.
#pragma once

#include "core/pipeline/partitioner.h"

namespace epe {

/// True when the input of a request is passed to its function as a float64 matrix.
bool takes_matrix(const Controls& controls, const Schema& schema) noexcept;

/// The partitioner for a request. `source` is null for kEval and kIndex.
std::unique_ptr<Cut> make_cut(const Request& request, InputSource* source);

/// The plan of a request's calls, for synchronous calls, jobs and replays alike. `input` is the
/// schema of the rows, null for kEval and kIndex. Borrows everything.
CallPlan make_call_plan(const Request& request, const Script& script, const OutputShape& shape,
                        const Schema* input, bool is_trusted);

/// Runs a request to its end. Wraps the sink for the formats that join the results of several calls
/// into one row (JSON). Returns the times spent.
CallStats run_pipeline(Cut& cut, Engine& engine, const CallPlan& plan, ResultSink& sink);

}  // namespace epe
