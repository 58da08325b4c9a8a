// The ends of tracebacks, for the report of an exception.
#pragma once

#include "py/base/ref_internal.h"

namespace epe::py {

/// Adds traceback_ends() to the module. Called once, at start.
void add_traceback_functions(PyObject* module);

}  // namespace epe::py
