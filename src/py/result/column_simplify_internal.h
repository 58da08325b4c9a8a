// Replaces values of other libraries by plain Python values.
#pragma once

#include "py/result/column_target_internal.h"

namespace epe::py {

/// The plain Python value for a foreign one; None for NaT.
Ref simplify(PyObject* value, const Target& target, std::int64_t index);

/// True for an array of at least one dimension; an array without dimensions is its element.
bool has_dimensions(PyObject* value);

}  // namespace epe::py
