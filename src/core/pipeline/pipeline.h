// The way of a call: input is cut, an engine runs the calls, results go to a sink.
#pragma once

#include "core/pipeline/partitioner.h"

namespace epe {

/// True when the input of a request arrives in its function as a float64 matrix.
bool takes_matrix(const Controls& controls, const Schema& schema) noexcept;

/// The cut that a request asks for. `source` is null for kEval and kIndex.
std::unique_ptr<Cut> make_cut(const Request& request, InputSource* source);

/// Runs a request to its end. Wraps the sink for the formats that put the results of several
/// calls into one row (JSON). Returns where the time went.
CallStats run_pipeline(Cut& cut, Engine& engine, const CallPlan& plan, ResultSink& sink);

}  // namespace epe
