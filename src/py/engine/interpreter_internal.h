// The one Python interpreter of this process.
#pragma once

#include <string>

#include "py/base/ref_internal.h"

namespace epe::py {

/// Starts the interpreter, or joins the one that another language runs already, and makes our
/// module `_oml_epe`. Cheap when that is done. Throws Error when Python does not or must not start.
/// The interpreter is never ended: the process ends with it. The thread holds the GIL for good.
/// An interpreter that this starts uses the packages of `environment`, the folder of a virtual
/// environment, unless that is empty.
void require_interpreter(const std::string& environment = {});

/// Whether plpython3u is loaded, has not started Python yet, and would end the process if it did
/// so after us (plpython_coexistence.cpp).
bool has_idle_plpython() noexcept;

}  // namespace epe::py
