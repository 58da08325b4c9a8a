// Figures of matplotlib that a script has made.
#include "py/result/figures_internal.h"

#include <utility>

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

Ref figure_registry() { return attribute(import_module("matplotlib._pylab_helpers").get(), "Gcf"); }

/// An empty registry of the same class.
Ref no_figures(const Ref& figures) {
    return call(reinterpret_cast<PyObject*>(Py_TYPE(figures.get())));
}

void set_figures(const Ref& registry, const Ref& figures) {
    checked(PyObject_SetAttrString(registry.get(), "figs", figures.get()));
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

void OwnFigures::take_up(bool is_nested) {
    if ((!is_nested && !kept_) || !is_pyplot_loaded()) return;
    registry_ = figure_registry();
    outer_ = attribute(registry_.get(), "figs");
    set_figures(registry_, kept_ ? std::exchange(kept_, Ref()) : no_figures(outer_));
}

void OwnFigures::put_aside(bool continues) noexcept {
    const PendingException pending;
    try {
        if (continues && is_pyplot_loaded()) {
            if (!registry_) registry_ = figure_registry();
            Ref own = attribute(registry_.get(), "figs");
            if (checked(PyObject_IsTrue(own.get())) == 1) {
                if (!outer_) outer_ = no_figures(own);
                kept_ = std::move(own);
            }
        }
        if (outer_) set_figures(registry_, outer_);
    } catch (const ScriptError&) {
        PyErr_Clear();
    }
    outer_ = Ref();
}

}  // namespace epe::py
