// Checks the memory that a result refers to before anything else looks at the result.
//
// numpy and pandas read an array's memory wherever they are asked for a length, a mask or a dtype.
// So the objects that a result holds are visited first, by the function that Python's garbage
// collector uses (tp_traverse), which runs no Python code, and each array, record, memoryview and
// pyarrow object is checked. Containers, instances of any class and the elements of arrays of
// objects are followed; classes, modules, functions and running generators are not.
//
// Objects that Python code makes later, while a result is read (items of a generator, values of a
// property), are checked where they come from. What changes its memory after the check (a file that
// is truncated by another process, ctypes) is not detected.
#pragma once

#include <cstddef>

#include "py/base/ref_internal.h"

namespace epe::py {

/// Throws Error 22023 for memory that cannot be read. Runs no code of the script's.
void check_reachable_memory(PyObject* value);

/// Throws Error 22023 when an object that exports `size` bytes from `start` does not have them.
void check_exported_memory(PyObject* exporter, const void* start, std::size_t size);

}  // namespace epe::py
