// Python in a process of the engine program.
#include "py/engine/forked_interpreter.h"

#include <signal.h>
#include <unistd.h>

#include <sstream>

#include "core/error.h"
#include "py/base/error_internal.h"
#include "py/base/ref_internal.h"
#include "py/engine/interpreter_internal.h"

#ifndef EPE_SITE_FOLDERS
#define EPE_SITE_FOLDERS ""
#endif

namespace epe::py {

namespace {

// Read by a signal handler.
int stack_end_descriptor = -1;

/// Runs after faulthandler has printed the stack.
void end_stack(int) noexcept {
    const ssize_t written = write(stack_end_descriptor, &kStackEnd, sizeof(kStackEnd));
    (void)written;
}

template <typename Body>
auto with_python(const char* what, Body&& body) {
    try {
        return std::forward<Body>(body)();
    } catch (const ScriptError&) {
        Error failure = take_error({});
        failure.report().message = std::string(what) + ": " + failure.report().message;
        throw failure;
    }
}

}  // namespace

void start_engine_python(const std::string& environment, const std::vector<std::string>& preload) {
    require_interpreter(environment);
    with_python("could not prepare Python", [&] {
        const Ref warm_up =
            attribute(import_module("_oml_epe_runtime.forked_interpreter").get(), "warm_up");
        const Ref names = Ref::steal(PyList_New(0));
        for (const std::string& name : preload)
            checked(PyList_Append(names.get(), to_python(name).get()));
        call(warm_up.get(), names);
    });
}

std::vector<std::string> python_folders() {
    return with_python("could not read Python's paths", [] {
        const Ref folders = call(
            attribute(import_module("_oml_epe_runtime.forked_interpreter").get(), "folders").get());
        std::vector<std::string> result;
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(folders.get()); ++i)
            result.emplace_back(utf8(PyList_GET_ITEM(folders.get(), i)));
        return result;
    });
}

void freeze_python() {
    with_python("could not prepare Python", [] {
        call(attribute(import_module("_oml_epe_runtime.forked_interpreter").get(), "freeze").get());
    });
}

bool has_module(const char* name) noexcept {
    return PyDict_GetItemString(PyImport_GetModuleDict(), name) != nullptr;
}

pid_t fork_python() {
    PyOS_BeforeFork();
    const pid_t child = fork();
    if (child == 0)
        PyOS_AfterFork_Child();
    else
        PyOS_AfterFork_Parent();
    return child;
}

void become_engine(int stack_descriptor, const std::string& temp_folder) {
    stack_end_descriptor = stack_descriptor;
    struct sigaction after_stack {};
    after_stack.sa_handler = end_stack;
    after_stack.sa_flags = SA_RESTART;
    sigemptyset(&after_stack.sa_mask);
    sigaction(SIGUSR2, &after_stack, nullptr);  // faulthandler's handler is called before it
    with_python("could not prepare the engine", [&] {
        const Ref become =
            attribute(import_module("_oml_epe_runtime.forked_interpreter").get(), "become_engine");
        call(become.get(), to_python(std::int64_t{stack_descriptor}), to_python(temp_folder));
    });
}

std::string python_version() {
    const std::string version = Py_GetVersion();
    return version.substr(0, version.find(' '));
}

std::string embedded_version() {
    return std::to_string(PY_MAJOR_VERSION) + "." + std::to_string(PY_MINOR_VERSION);
}

std::vector<std::string> site_folders() {
    std::vector<std::string> folders;
    std::istringstream words(EPE_SITE_FOLDERS);
    for (std::string word; std::getline(words, word, ':');) folders.push_back(word);
    return folders;
}

}  // namespace epe::py
