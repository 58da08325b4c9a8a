// Whether the running code is importing a module.
#include "py/base/import_state.h"

#include "py/base/ref_internal.h"

namespace epe::py {

namespace {

/// Between an import and the body of a module, or two imports, there are only a few frames. A stack
/// may have millions of frames, too many to search.
constexpr int kMostFrames = 256;

/// The code object that every import of a module not loaded yet runs through: statements,
/// __import__, importlib.import_module and C code. Null when a script has replaced it.
PyObject* import_code() noexcept {
    PyObject* const machinery = PyDict_GetItemString(PyImport_GetModuleDict(), "_frozen_importlib");
    if (machinery == nullptr) return nullptr;
    PyObject* const function = PyDict_GetItemString(PyModule_GetDict(machinery), "_find_and_load");
    if (function == nullptr || !PyFunction_Check(function)) return nullptr;
    return PyFunction_GetCode(function);
}

}  // namespace

bool is_importing() noexcept {
    const PyObject* const wanted = import_code();
    if (wanted == nullptr) return false;
    PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
    bool is_found = false;
    for (int i = 0; i < kMostFrames && frame != nullptr && !is_found; ++i) {
        PyCodeObject* const code = PyFrame_GetCode(frame);
        is_found = reinterpret_cast<PyObject*>(code) == wanted;
        Py_DECREF(code);
        PyFrameObject* const caller = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = caller;
    }
    Py_XDECREF(frame);
    return is_found;
}

}  // namespace epe::py
