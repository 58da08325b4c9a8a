// Checks arrays that a script returned before their memory is read.
#pragma once

#include <functional>

#include "py/base/ref_internal.h"

namespace epe::py {

/// The array as class ndarray, ignoring type and shape reported by a subclass. Throws Error 22023
/// for one whose memory cannot be read, or does not contain valid object pointers for a dtype with
/// objects (as_strided and similar functions can make both).
Ref plain_array(PyObject* array);
/// The check of plain_array() alone.
void check_array_memory(PyObject* array);
/// The same for a record (numpy.void), which may be a view of an array.
void check_record_memory(PyObject* record);
/// Calls `visit` for each object in an array of objects that check_array_memory() has accepted.
void visit_objects(PyObject* array, const std::function<void(PyObject*)>& visit);
/// An attribute of an array or a scalar from numpy's own type, ignoring overrides of a subclass.
Ref native_attribute(PyObject* value, const char* name);

}  // namespace epe::py
