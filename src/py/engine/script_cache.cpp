// The functions of scripts, loaded once per version and process.
#include "py/engine/script_cache_internal.h"

namespace epe::py {

namespace {

/// After this many loads, failed ones included, the cache is cleared: a session that creates and
/// drops scripts forever must not grow.
constexpr int kMostLoads = 1000;

constexpr const char* kScripts = "_oml_epe_runtime.scripts";

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
    static constinit ImportedObject load{kScripts, "load"};
    static constinit ImportedObject forget_all{kScripts, "forget_all"};
    static int loads = 0;
    PyObject* const scripts = loaded_scripts();
    if (++loads > kMostLoads) {
        loads = 1;
        PyDict_Clear(scripts);
        call(forget_all.get());
    }
    Ref function =
        call(load.get(), to_python(script.owner), to_python(script.name), to_python(script.source));
    const Ref version = Ref::steal(PyLong_FromUnsignedLongLong(script.version));
    const Ref loaded = Ref::steal(PyTuple_Pack(2, version.get(), function.get()));
    checked(PyDict_SetItem(scripts, key_of(script).get(), loaded.get()));
    return function;
}

void check_source(const std::string& name, const std::string& source) {
    static constinit ImportedObject check{kScripts, "check"};
    call(check.get(), to_python(name), to_python(source));
}

}  // namespace epe::py
