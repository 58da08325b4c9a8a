// The engine that runs scripts in this process's embedded interpreter.
#pragma once

#include <memory>
#include <string>

#include "core/pipeline/ports.h"
#include "py/base/engine_place.h"

namespace epe::py {

/// Makes an engine for one request. The interpreter is started (or joined, when another language
/// already runs one) by the first call in the process. Engines nest: a script may cause another
/// request in the same process while it runs. `host` must outlive the engine.
std::unique_ptr<Engine> make_script_engine(Host& host, const InterruptFlags& flags,
                                           EnginePlace place);

/// Compiles the text of a script and looks for something to call in it, without running it.
/// Throws Error 22023: for a SyntaxError with line, text and caret in its detail.
void check_script(const std::string& name, const std::string& source, Host& host,
                  const InterruptFlags& flags);

}  // namespace epe::py
