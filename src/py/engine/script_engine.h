// The engine that runs scripts in this process's embedded interpreter.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"
#include "py/base/engine_place.h"

namespace epe::py {

/// Makes an engine for one request. The first call in the process starts the interpreter, or joins
/// it when another language has started one. Engines nest: a running script may cause another
/// request in the same process. `host` must outlive the engine.
std::unique_ptr<Engine> make_script_engine(Host& host, const InterruptFlags& flags,
                                           EnginePlace place);

}  // namespace epe::py
