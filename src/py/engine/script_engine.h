// The engine that runs scripts in this process's embedded interpreter.
#pragma once

#include <memory>
#include <string>

#include "core/pipeline/ports.h"
#include "py/base/engine_place.h"

namespace epe::py {

/// Makes an engine for one request. The first call in the process starts the interpreter, or joins
/// it when another language has started one. Engines nest: a running script may cause another
/// request in the same process. `host` must outlive the engine.
std::unique_ptr<Engine> make_script_engine(Host& host, const InterruptFlags& flags,
                                           EnginePlace place);

/// Compiles the text of a script and checks that it defines a callable, without running it. Throws
/// Error 22023: for a SyntaxError with line, text and caret in its detail.
void check_script(const std::string& name, const std::string& source, Host& host,
                  const InterruptFlags& flags);

}  // namespace epe::py
