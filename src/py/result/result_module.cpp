// What runtime/results.py and runtime/render.py have checked before they read it.
#include "py/result/result_module_internal.h"

#include "py/base/error_internal.h"
#include "py/base/numpy_internal.h"
#include "py/input/arrow_bridge_internal.h"
#include "py/result/array_memory_internal.h"
#include "py/result/value_classifier_internal.h"

namespace epe::py {

namespace {

/// plain_array(array): see array_memory_internal.h. What numpy does not know as an array stays.
PyObject* give_plain_array(PyObject*, PyObject* array) noexcept {
    return callback([&] {
        find_known_types();
        return is_array(array) ? plain_array(array) : Ref::borrow(array);
    });
}

PyObject* give_checked_stream(PyObject*, PyObject* exporter) noexcept {
    return callback([&] { return checked_stream(exporter); });
}

PyMethodDef methods[] = {{"plain_array", give_plain_array, METH_O, nullptr},
                         {"checked_stream", give_checked_stream, METH_O, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_result_functions(PyObject* module) { checked(PyModule_AddFunctions(module, methods)); }

}  // namespace epe::py
