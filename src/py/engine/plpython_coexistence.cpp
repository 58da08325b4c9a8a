// Lets plpython3u start after oml_epe.
//
// It registers its module `plpy` by PyImport_AppendInittab; since Python 3.12, that function ends
// the process, and with it the server, if Python is already running. So this library defines a
// function of the same name. PostgreSQL loads libraries into the global scope: libraries loaded
// later are bound to this definition. Libraries loaded earlier are not, and must have started
// Python themselves (has_idle_plpython).
#include "py/engine/plpython_coexistence.h"

#include <Python.h>

#if PY_VERSION_HEX >= 0x030C0000
#include <dlfcn.h>
#include <link.h>

#include <string_view>

#include "py/base/error_internal.h"
#include "py/base/ref_internal.h"
#endif

namespace epe::py {

#if PY_VERSION_HEX >= 0x030C0000

namespace {

using InitModule = PyObject* (*)();

constexpr int kOther = 0;  // continues with the next library
constexpr int kOurs = 1;
constexpr int kTheirs = 2;

int append_to_table(const char* name, InitModule init) noexcept {
    void* const next = dlsym(RTLD_NEXT, "PyImport_AppendInittab");
    return next == nullptr ? -1
                           : reinterpret_cast<int (*)(const char*, InitModule)>(next)(name, init);
}

/// The import of a builtin module, without the wait for an import statement.
int add_module(const char* name, InitModule init) noexcept {
    try {
        const Ref module = Ref::steal(init());
        return PyDict_SetItemString(PyImport_GetModuleDict(), name, module.get());
    } catch (const ScriptError&) {
        return -1;  // the exception stays set: the later import reports it
    }
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int PyImport_AppendInittab(const char* name,
                                                                             InitModule init) {
    return Py_IsInitialized() != 0 ? add_module(name, init) : append_to_table(name, init);
}

bool has_idle_plpython() noexcept {
    if (Py_IsInitialized() != 0) return false;
    Dl_info ours{};
    if (dladdr(reinterpret_cast<const void*>(&append_to_table), &ours) == 0) return false;
    // Libraries come in the order in which they were loaded.
    const auto look = [](dl_phdr_info* library, std::size_t, void* own_base) {
        if (reinterpret_cast<void*>(library->dlpi_addr) == own_base) return kOurs;
        return std::string_view(library->dlpi_name).ends_with("/plpython3.so") ? kTheirs : kOther;
    };
    return dl_iterate_phdr(look, ours.dli_fbase) == kTheirs;
}

#else

bool has_idle_plpython() noexcept { return false; }

#endif

}  // namespace epe::py
