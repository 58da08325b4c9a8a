// Functions of module `_oml_epe` that read results.
#pragma once

#include "py/base/ref_internal.h"

namespace epe::py {

/// Adds plain_array() and checked_stream() to the module. Called once, at start.
void add_result_functions(PyObject* module);

}  // namespace epe::py
