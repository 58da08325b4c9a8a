// The functions of scripts, loaded once per version and process.
#pragma once

#include <string>

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// The callable of a script, if this version of it is loaded in this process; else null. Runs no
/// Python code of the script.
Ref find_loaded_script(const Script& script);

/// Loads a script and returns its callable: executes its text as a module of its own. Throws
/// ScriptError.
Ref load_script(const Script& script);

/// Throws ScriptError unless the text compiles and defines a callable; runs nothing.
void check_source(const std::string& name, const std::string& source);

}  // namespace epe::py
