// The Engine of engine processes: distributes calls, and delivers their results in order.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"
#include "engine/common/engine_options.h"

namespace epe::engine {

/// Makes an engine that runs one request in up to options.most_engines processes. `host` serves the
/// requests of its scripts and `waiter` makes its waits interruptible; both must outlive it.
///
/// With several processes, calls are distributed in slices as processes become free, so that a slow
/// call does not block the others; results and messages are delivered in call order, and of several
/// failures the first in that order is reported. Engines run ahead of the results that the caller
/// takes, by a bounded amount.
std::unique_ptr<Engine> make_process_engine(EngineOptions options, Host& host, Waiter& waiter);

/// Compiles the text of a script in an engine process, as py::check_script() does in the backend.
void check_script_in_process(const Script& script, const EngineOptions& options, Host& host,
                             Waiter& waiter);

/// The protections of an engine with these options on this machine.
SandboxReport probe_sandbox(const EngineOptions& options, Host& host, Waiter& waiter);

}  // namespace epe::engine
