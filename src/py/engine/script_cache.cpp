// The functions of scripts, loaded once per version and process.
#include "py/engine/script_cache_internal.h"

namespace epe::py {

namespace {

/// After this many loads, failed ones included, the cache is cleared: a session that creates and
/// drops scripts forever must not grow.
constexpr int kMostLoads = 1000;

PyObject* scripts_function(PyObject*& cache, const char* name) {
    if (cache == nullptr)
        cache = attribute(import_module("_oml_epe_runtime.scripts").get(), name).release();
    return cache;
}

/// (owner, name) -> (version, function). A dict, because static C++ objects with destructors are
/// not allowed (architecture.md, "Ownership").
PyObject* loaded_scripts() {
    static PyObject* scripts = nullptr;
    if (scripts == nullptr) scripts = Ref::steal(PyDict_New()).release();
    return scripts;
}

Ref key_of(const Script& script) {
    // A role's name cannot hold a null byte.
    std::string key;
    key.reserve(script.owner.size() + script.name.size() + 1);
    key.append(script.owner).push_back('\0');
    return to_python(key.append(script.name));
}

}  // namespace

Ref find_loaded_script(const Script& script) {
    PyObject* const entry = PyDict_GetItemWithError(loaded_scripts(), key_of(script).get());
    if (entry == nullptr) {
        if (PyErr_Occurred() != nullptr) throw ScriptError();
        return {};
    }
    const bool is_current = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(entry, 0)) == script.version;
    return is_current ? Ref::borrow(PyTuple_GET_ITEM(entry, 1)) : Ref();
}

Ref load_script(const Script& script) {
    static PyObject* load = nullptr;
    static PyObject* forget_all = nullptr;
    static int loads = 0;
    PyObject* const scripts = loaded_scripts();
    if (++loads > kMostLoads) {
        loads = 1;
        PyDict_Clear(scripts);
        call(scripts_function(forget_all, "forget_all"));
    }
    Ref function = call(scripts_function(load, "load"), to_python(script.owner),
                        to_python(script.name), to_python(script.source));
    const Ref version = Ref::steal(PyLong_FromUnsignedLongLong(script.version));
    const Ref loaded = Ref::steal(PyTuple_Pack(2, version.get(), function.get()));
    checked(PyDict_SetItem(scripts, key_of(script).get(), loaded.get()));
    return function;
}

void check_source(const std::string& name, const std::string& source) {
    static PyObject* check = nullptr;
    call(scripts_function(check, "check"), to_python(name), to_python(source));
}

}  // namespace epe::py
