// The keyword arguments of a script's function.
#include "py/engine/arguments_internal.h"

#include <string_view>
#include <utility>

namespace epe::py {

namespace {

bool is_empty_object(std::string_view json) noexcept {
    return json.find_first_not_of(" \t\r\n{}") == std::string_view::npos;
}

constinit ImportedObject json_loads{"json", "loads"};

}  // namespace

Arguments::Arguments(const CallPlan& plan)
    : plan_(plan), is_empty_(is_empty_object(plan.arguments_json) && plan.pickled.empty()) {}

Ref Arguments::load() {
    // The bytes of the pickle are copied to a Python object.
    const Ref bytes = Ref::steal(
        PyMemoryView_FromMemory(const_cast<char*>(plan_.pickled.data()),
                                static_cast<Py_ssize_t>(plan_.pickled.size()), PyBUF_READ));
    pickled_ =
        call(attribute(import_module("_oml_epe_runtime.pickles").get(), "Arguments").get(), bytes);
    Ref function = attribute(pickled_.get(), "function");
    return function.get() == Py_None ? Ref() : std::move(function);
}

PyObject* Arguments::next() {
    if (is_empty_) return nullptr;
    if (!values_ || !is_shareable_) parse();
    return is_empty_ ? nullptr : values_.get();
}

void Arguments::parse() {
    const Ref all = call(json_loads.get(), to_python(plan_.arguments_json));
    values_ = Ref::steal(PyDict_New());
    is_shareable_ = true;
    if (pickled_) {
        checked(PyDict_Update(values_.get(), call(attribute(pickled_.get(), "fresh").get()).get()));
        is_shareable_ = attribute(pickled_.get(), "is_shareable").get() == Py_True;
    }
    PyObject* name = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(all.get(), &position, &name, &value) != 0) {
        if (PyList_Check(value) || PyDict_Check(value)) is_shareable_ = false;
        checked(PyDict_SetItem(values_.get(), name, value));
    }
    is_empty_ = PyDict_GET_SIZE(values_.get()) == 0;
}

}  // namespace epe::py
