// Python objects that own a Buffer, so that arrays can use its memory without a copy.
#pragma once

#include "core/batch/buffer.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// Adds the type `_oml_epe.Buffer` to the module. Called once, at start.
void add_buffer_type(PyObject* module);

/// An object that owns `buffer` and exports its memory, writable, by the buffer protocol.
Ref to_python(Buffer buffer);

}  // namespace epe::py
