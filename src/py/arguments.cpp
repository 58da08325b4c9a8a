// The keyword arguments of a script's function.
#include "py/arguments_internal.h"

#include <string_view>

namespace epe::py {

namespace {

constexpr std::string_view kControlPrefix = "oml_";

bool is_empty_object(std::string_view json) noexcept {
    return json.find_first_not_of(" \t\r\n{}") == std::string_view::npos;
}

PyObject* loads_function() {
    static PyObject* function = nullptr;
    if (function == nullptr) function = attribute(import_module("json").get(), "loads").release();
    return function;
}

}  // namespace

Arguments::Arguments(const std::string& json) : json_(json), is_empty_(is_empty_object(json)) {}

PyObject* Arguments::next() {
    if (is_empty_) return nullptr;
    if (!values_ || !is_shareable_) parse();
    return is_empty_ ? nullptr : values_.get();
}

void Arguments::parse() {
    const Ref all = call(loads_function(), to_python(json_));
    values_ = Ref::steal(PyDict_New());
    is_shareable_ = true;
    PyObject* name = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(all.get(), &position, &name, &value) != 0) {
        if (utf8(name).starts_with(kControlPrefix)) continue;
        if (PyList_Check(value) || PyDict_Check(value)) is_shareable_ = false;
        checked(PyDict_SetItem(values_.get(), name, value));
    }
    is_empty_ = PyDict_GET_SIZE(values_.get()) == 0;
}

}  // namespace epe::py
