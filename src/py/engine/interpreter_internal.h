// The only Python interpreter of this process.
#pragma once

#include <string>

#include "py/base/ref_internal.h"

namespace epe::py {

/// Starts the interpreter, or joins the one that another language has started, and creates the
/// module `_oml_epe`. Cheap when that is done. Throws Error when Python does not or must not start.
/// The interpreter is never finalized: it ends with the process. The thread holds the GIL
/// permanently. An interpreter that this starts uses the packages of `environment`, the folder of a
/// virtual environment, unless that is empty.
void require_interpreter(const std::string& environment = {});

}  // namespace epe::py
