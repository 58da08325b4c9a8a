// The one Python interpreter of this process.
#pragma once

#include "py/ref_internal.h"

namespace epe::py {

/// Starts the interpreter, or joins the one that another language runs already, and makes our
/// module `_oml_epe`. Cheap when that is done. Throws Error when Python does not start.
/// The interpreter is never ended: the process ends with it. The thread holds the GIL for good.
void require_interpreter();

}  // namespace epe::py
