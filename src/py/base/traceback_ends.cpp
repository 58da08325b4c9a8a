// The first and last entries of a traceback, found by following its pointers.
#include "py/base/traceback_ends_internal.h"

#include <Python.h>

#include <algorithm>

// Not part of Python.h in every version.
#include <frameobject.h>

#include "py/base/error_internal.h"
#include "py/base/interrupt_internal.h"

namespace epe::py {

namespace {

constexpr std::int64_t kCheckEvery = 65536;

/// Whether the file name of an entry begins with `prefix`; false if it is empty.
bool is_hidden(const PyTracebackObject* entry, PyObject* prefix) {
    if (PyUnicode_GET_LENGTH(prefix) == 0) return false;
    PyCodeObject* const code = PyFrame_GetCode(entry->tb_frame);
    const Py_ssize_t found = PyUnicode_Tailmatch(code->co_filename, prefix, 0, PY_SSIZE_T_MAX, -1);
    Py_DECREF(code);
    if (found < 0) throw ScriptError();
    return found == 1;
}

/// Calls `body` with each visible entry and its number.
template <typename Body>
std::int64_t walk(PyObject* traceback, PyObject* prefix, Body&& body) {
    std::int64_t seen = 0;
    std::int64_t number = 0;
    for (auto* entry = reinterpret_cast<PyTracebackObject*>(traceback); entry != nullptr;
         entry = entry->tb_next) {
        if (++seen % kCheckEvery == 0) check_cancel();
        if (!is_hidden(entry, prefix)) body(reinterpret_cast<PyObject*>(entry), number++);
    }
    return number;
}

/// traceback_ends(traceback, prefix, first, last) -> ([entry], number omitted, [entry]): that many
/// entries from the start and from the end, except those of files whose names begin with prefix.
PyObject* traceback_ends(PyObject*, PyObject* arguments) noexcept {
    return callback([&] {
        PyObject* traceback = nullptr;
        PyObject* prefix = nullptr;
        long long first = 0;
        long long last = 0;
        if (PyArg_ParseTuple(arguments, "OULL", &traceback, &prefix, &first, &last) == 0)
            throw ScriptError();
        if (!PyTraceBack_Check(traceback)) traceback = nullptr;
        const std::int64_t count = walk(traceback, prefix, [](PyObject*, std::int64_t) {});
        const std::int64_t end = count <= first + last ? first : count - last;
        const Ref outermost = Ref::steal(PyList_New(0));
        const Ref innermost = Ref::steal(PyList_New(0));
        walk(traceback, prefix, [&](PyObject* entry, std::int64_t number) {
            if (number < first)
                checked(PyList_Append(outermost.get(), entry));
            else if (number >= end)
                checked(PyList_Append(innermost.get(), entry));
        });
        const Ref omitted = to_python(end - std::min<std::int64_t>(first, end));
        return Ref::steal(PyTuple_Pack(3, outermost.get(), omitted.get(), innermost.get()));
    });
}

PyMethodDef methods[] = {{"traceback_ends", traceback_ends, METH_VARARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_traceback_functions(PyObject* module) { checked(PyModule_AddFunctions(module, methods)); }

}  // namespace epe::py
