// Functions of module `_oml_epe` that read results.
#pragma once

#include "py/base/ref_internal.h"

namespace epe::py {

/// Adds the checks of results to the module. Called once, at start.
void add_result_functions(PyObject* module);

}  // namespace epe::py
