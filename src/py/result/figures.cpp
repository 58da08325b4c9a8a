// Figures of matplotlib that a script has made.
#include "py/result/figures_internal.h"

#include "py/base/error_internal.h"

namespace epe::py {

namespace {

Ref figure_function(const char* name) {
    return attribute(import_module("_oml_epe_runtime.figures").get(), name);
}

bool is_loaded(PyObject*& cache, const char* module) {
    if (cache == nullptr) cache = Ref::steal(PyUnicode_InternFromString(module)).release();
    return checked(PyDict_Contains(PyImport_GetModuleDict(), cache)) == 1;
}

bool is_pyplot_loaded() {
    static PyObject* name = nullptr;
    return is_loaded(name, "matplotlib.pyplot");
}

}  // namespace

Ref captured_figures(const Ref& result) {
    static PyObject* figures = nullptr;  // loaded: a stored result's figures may be in it
    static PyObject* figure = nullptr;   // made without pyplot
    if (!is_pyplot_loaded() && !is_loaded(figures, "_oml_epe_runtime.figures") &&
        !is_loaded(figure, "matplotlib.figure"))
        return Ref::steal(PyList_New(0));
    return call(figure_function("capture").get(), result);
}

Ref without_drawing(const Ref& result) {
    static PyObject* artist = nullptr;
    if (!is_loaded(artist, "matplotlib.artist")) return result.copy();
    const Ref answer = call(figure_function("is_drawing").get(), result);
    return answer.get() == Py_True ? Ref::none() : result.copy();
}

void close_figures() {
    if (!is_pyplot_loaded()) return;
    call(figure_function("close_all").get());
}

OwnFigures::OwnFigures(bool is_nested) {
    if (!is_nested || !is_pyplot_loaded()) return;
    registry_ = attribute(import_module("matplotlib._pylab_helpers").get(), "Gcf");
    outer_ = attribute(registry_.get(), "figs");
    const Ref none = call(reinterpret_cast<PyObject*>(Py_TYPE(outer_.get())));
    checked(PyObject_SetAttrString(registry_.get(), "figs", none.get()));
}

OwnFigures::~OwnFigures() {
    if (!outer_) return;
    const PendingException pending;
    if (PyObject_SetAttrString(registry_.get(), "figs", outer_.get()) < 0) PyErr_Clear();
}

}  // namespace epe::py
