// Columns from one-dimensional numpy arrays without objects.
#pragma once

#include "py/result/column_target_internal.h"

namespace epe::py {

Column column_of_array(PyObject* array, char kind, const Target& target);

}  // namespace epe::py
