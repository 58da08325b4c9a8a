// Arrays that a script returned, checked before their memory is read.
#pragma once

#include <functional>

#include "py/base/ref_internal.h"

namespace epe::py {

/// The array as numpy itself sees it: of class ndarray, whatever a subclass says about its type or
/// shape. Throws Error 22023 for one whose memory cannot be read, or is not that of objects where
/// it should hold them (as_strided and its like can make both).
Ref plain_array(PyObject* array);
/// What plain_array() checks.
void check_array_memory(PyObject* array);
/// The same for a record (numpy.void), which may be a view of an array.
void check_record_memory(PyObject* record);
/// Calls `visit` for each object in an array of objects that check_array_memory() has passed.
void visit_objects(PyObject* array, const std::function<void(PyObject*)>& visit);
/// An attribute of an array or a scalar as numpy's own type has it, whatever a subclass says.
Ref native_attribute(PyObject* value, const char* name);

}  // namespace epe::py
