// Checks for runtime/results.py and runtime/render.py before they read a result.
#include "py/result/result_module_internal.h"

#include "py/base/error_internal.h"
#include "py/base/foreign_memory.h"
#include "py/base/numpy_internal.h"
#include "py/input/arrow_bridge_internal.h"
#include "py/result/array_memory_internal.h"
#include "py/result/reachable_memory_internal.h"
#include "py/result/value_classifier_internal.h"

namespace epe::py {

namespace {

/// plain_array(array): see array_memory_internal.h. Objects that are not arrays to numpy are
/// returned unchanged.
PyObject* give_plain_array(PyObject*, PyObject* array) noexcept {
    return callback([&] {
        find_known_types();
        return is_array(array) ? plain_array(array) : Ref::borrow(array);
    });
}

PyObject* give_checked_stream(PyObject*, PyObject* exporter) noexcept {
    return callback([&] { return checked_stream(exporter); });
}

/// check_memory(value): see reachable_memory_internal.h. Returns the value.
PyObject* give_checked(PyObject*, PyObject* value) noexcept {
    return callback([&] {
        check_reachable_memory(value);
        return Ref::borrow(value);
    });
}

/// is_readable(address, size): whether the process has this memory.
PyObject* tell_readable(PyObject*, PyObject* arguments) noexcept {
    return callback([&] {
        unsigned long long address = 0;
        Py_ssize_t size = 0;
        if (PyArg_ParseTuple(arguments, "Kn", &address, &size) == 0) throw ScriptError();
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel alone follows it
        const auto* const start = reinterpret_cast<const void*>(address);
        const bool is_readable =
            size >= 0 && PipeMemory().is_readable(start, static_cast<std::size_t>(size));
        return Ref::borrow(is_readable ? Py_True : Py_False);
    });
}

PyMethodDef methods[] = {{"plain_array", give_plain_array, METH_O, nullptr},
                         {"check_memory", give_checked, METH_O, nullptr},
                         {"is_readable", tell_readable, METH_VARARGS, nullptr},
                         {"checked_stream", give_checked_stream, METH_O, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_result_functions(PyObject* module) { checked(PyModule_AddFunctions(module, methods)); }

}  // namespace epe::py
