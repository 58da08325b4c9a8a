// Checks the memory that a result refers to before any other access to the result.
//
// numpy and pandas read an array's memory when they are asked for a length, a mask or a dtype. So
// the objects that a result refers to are visited first, by the function of Python's garbage
// collector (tp_traverse), which runs no Python code, and each array, record, memoryview and
// pyarrow object is checked. Containers, instances of any class and the elements of arrays of
// objects are followed; classes, modules, functions and running generators are not.
//
// Objects that Python code creates later, while a result is read (items of a generator, values of a
// property), are checked at their source. Changes of its memory after the check (a file that is
// truncated by another process, ctypes) are not detected.
#pragma once

#include <cstddef>

#include "py/base/ref_internal.h"

namespace epe::py {

/// Throws Error 22023 for memory that cannot be read. Runs no code of the script.
void check_reachable_memory(PyObject* value);

/// Throws Error 22023 when an object that exports `size` bytes from `start` does not have them.
void check_exported_memory(PyObject* exporter, const void* start, std::size_t size);

}  // namespace epe::py
