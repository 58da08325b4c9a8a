// The Python sources that are embedded into the library.
#pragma once

#include "py/base/ref_internal.h"

namespace epe::py {

/// Lets Python import the embedded sources: `_oml_epe_runtime.<name>`, and `oml`. They are
/// executed when first imported. Called once, at start.
void install_runtime(PyObject* module);

}  // namespace epe::py
