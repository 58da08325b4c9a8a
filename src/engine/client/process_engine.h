// The Engine of engine processes: gives out calls, and brings their results back in order.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"
#include "engine/common/engine_options.h"

namespace epe::engine {

/// Makes an engine that runs one request in up to options.most_engines processes. `host` serves
/// what its scripts ask for and `waiter` lets PostgreSQL interrupt it; both must outlive it.
///
/// With several processes calls are given out in slices when a process is free, so that slow ones
/// hold nobody up; results and messages come out in the order of calls all the same, and of several
/// failures the first in that order counts. Between run() and finish() it works ahead of its
/// results, by a bounded amount.
std::unique_ptr<Engine> make_process_engine(EngineOptions options, Host& host, Waiter& waiter);

/// Compiles the text of a script in an engine process, as py::check_script() does in the backend.
void check_script_in_process(const Script& script, const EngineOptions& options, Host& host,
                             Waiter& waiter);

/// What an engine with these options is confined by on this machine.
SandboxReport probe_sandbox(const EngineOptions& options, Host& host, Waiter& waiter);

}  // namespace epe::engine
