// Starts or joins the embedded interpreter and makes the builtin module `_oml_epe`.
#include "py/engine/interpreter_internal.h"

#include <string>

#include "py/base/buffer_object_internal.h"
#include "py/base/captured_output_internal.h"
#include "py/base/error_internal.h"
#include "py/base/traceback_ends_internal.h"
#include "py/engine/embedded_sources_internal.h"
#include "py/engine/host_module_internal.h"
#include "py/engine/plpython_coexistence.h"
#include "py/input/batch_iterator_internal.h"
#include "py/result/result_module_internal.h"

#ifndef EPE_PYTHON_EXECUTABLE
#define EPE_PYTHON_EXECUTABLE "/usr/bin/python3"
#endif

namespace epe::py {

namespace {

PyModuleDef module_definition = {PyModuleDef_HEAD_INIT,
                                 "_oml_epe",
                                 "What the oml_epe engine lends to its Python code.",
                                 -1,
                                 nullptr,
                                 nullptr,
                                 nullptr,
                                 nullptr,
                                 nullptr};

void check_status(const PyStatus& status) {
    if (PyStatus_Exception(status) == 0) return;
    throw Error(sqlstate::kInternal, std::string("could not start Python: ") +
                                         (status.err_msg != nullptr ? status.err_msg : "?"));
}

/// Frees the configuration on every way out.
class Configuration {
   public:
    Configuration() { PyConfig_InitPythonConfig(&config_); }
    ~Configuration() { PyConfig_Clear(&config_); }
    Configuration(const Configuration&) = delete;
    Configuration& operator=(const Configuration&) = delete;
    PyConfig* get() noexcept { return &config_; }
    PyConfig* operator->() noexcept { return &config_; }

   private:
    PyConfig config_;
};

void start_interpreter(const std::string& environment) {
    PyPreConfig before;
    PyPreConfig_InitPythonConfig(&before);
    before.configure_locale = 0;  // the locale is PostgreSQL's
    before.coerce_c_locale = 0;
    before.coerce_c_locale_warn = 0;
    before.utf8_mode = 1;
    before.parse_argv = 0;
    check_status(Py_PreInitialize(&before));

    Configuration config;
    config->install_signal_handlers = 0;
    config->parse_argv = 0;
    config->user_site_directory = 0;
    config->configure_c_stdio = 0;
    config->buffered_stdio = 0;  // the backend may end without finalizing Python
#if PY_VERSION_HEX >= 0x030B0000
    config->safe_path = 1;
#endif
    // An environment's packages are its own: ignore the server's PYTHONPATH.
    if (!environment.empty()) config->use_environment = 0;
    // Python finds its packages through its executable: an environment's is in the environment.
    const std::string program =
        environment.empty() ? EPE_PYTHON_EXECUTABLE : environment + "/bin/python3";
    check_status(PyConfig_SetBytesString(config.get(), &config->program_name, program.c_str()));
    check_status(PyConfig_SetBytesString(config.get(), &config->executable, program.c_str()));
    check_status(Py_InitializeFromConfig(config.get()));
}

/// plpython3u registers its module too late for a running interpreter: unless `plpy` is a builtin
/// module, it cannot start after oml_epe. plpython_coexistence.cpp does the same for Python 3.12
/// and later.
void announce_plpy() {
    PyObject* const names = PySys_GetObject("builtin_module_names");
    if (names == nullptr || !PyTuple_Check(names)) return;
    const Ref plpy = to_python("plpy");
    if (checked(PySequence_Contains(names, plpy.get())) == 1) return;
    const Ref addition = Ref::steal(PyTuple_Pack(1, plpy.get()));
    const Ref extended = Ref::steal(PySequence_Concat(names, addition.get()));
    checked(PySys_SetObject("builtin_module_names", extended.get()));
}

void set_environment_defaults() {
    const Ref environment = attribute(import_module("os").get(), "environ");
    const Ref set_default = attribute(environment.get(), "setdefault");
    call(set_default.get(), to_python("MPLBACKEND"), to_python("Agg"));
    // One thread per backend is enough for numeric libraries: the server runs many backends.
    for (const char* name : {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMEXPR_MAX_THREADS"})
        call(set_default.get(), to_python(name), to_python("1"));
}

void make_module() {
    const Ref module = Ref::steal(PyModule_Create(&module_definition));
    add_exceptions(module.get());
    add_buffer_type(module.get());
    add_batch_iterator_type(module.get());
    add_host_functions(module.get());
    add_result_functions(module.get());
    add_traceback_functions(module.get());
    PyObject* const modules = PyImport_GetModuleDict();
    checked(PyDict_SetItemString(modules, "_oml_epe", module.get()));
    install_runtime(module.get());
    install_output(module.get());
}

}  // namespace

void require_interpreter(const std::string& environment) {
    static bool is_ready = false;
    if (is_ready) return;
    const bool is_joining = Py_IsInitialized() != 0;
    if (has_idle_plpython())
        throw Error(sqlstate::kNotInState,
                    "plpython3u has been loaded into this session, but has not run yet",
                    "With Python 3.12 and later it cannot start after oml_epe. Run "
                    "DO LANGUAGE plpython3u 'pass' first, or begin a new session.");
    if (!is_joining) start_interpreter(environment);
    try {
        if (!is_joining) announce_plpy();
        set_environment_defaults();
        make_module();
    } catch (const ScriptError&) {
        PyErr_Print();
        throw Error(sqlstate::kInternal, "could not set up the Python interpreter",
                    "The server's log shows the Python error.");
    }
    is_ready = true;
}

}  // namespace epe::py
