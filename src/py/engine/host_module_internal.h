// PostgreSQL's services for scripts: the C++ half of the Python module `oml`.
#pragma once

#include "py/base/ref_internal.h"

namespace epe::py {

/// Adds the functions to the module `_oml_epe`. Called once, at start.
void add_host_functions(PyObject* module);

}  // namespace epe::py
