// The stack of requests that run Python in this process.
#include "py/base/activation_internal.h"

#include <unistd.h>

#include <utility>

#include "py/base/error_internal.h"

namespace epe::py {

namespace {

// Written on the engine's thread with the GIL held; other Python threads read it with the GIL.
Activation* innermost = nullptr;

struct StreamSlots {
    PyObject* system;  // the dict of module sys
    PyObject* stdout_name;
    PyObject* stderr_name;
};

const StreamSlots& stream_slots() {
    static StreamSlots slots{};
    if (slots.system == nullptr) {
        slots.stdout_name = Ref::steal(PyUnicode_InternFromString("stdout")).release();
        slots.stderr_name = Ref::steal(PyUnicode_InternFromString("stderr")).release();
        slots.system = PyModule_GetDict(import_module("sys").get());
    }
    return slots;
}

Ref exchange_item(PyObject* dict, PyObject* key, PyObject* value) {
    PyObject* const old = PyDict_GetItemWithError(dict, key);
    if (old == nullptr && PyErr_Occurred() != nullptr) throw ScriptError();
    Ref kept = old == nullptr ? Ref::none() : Ref::borrow(old);
    checked(PyDict_SetItem(dict, key, value));
    return kept;
}

/// Prints the pending exception to the server's log, unless it is SystemExit. Returns the exit
/// status of a program that ends with it.
int report_last_exception() noexcept {
    if (PyErr_ExceptionMatches(PyExc_SystemExit) == 0) {
        PyErr_PrintEx(/* set_sys_last_vars */ 0);
        return 1;
    }
    PyObject* type = nullptr;
    PyObject* value = nullptr;
    PyObject* traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject* const code = PyObject_GetAttrString(value, "code");
    if (code == Py_None) return 0;
    return code != nullptr && PyLong_Check(code) ? static_cast<int>(PyLong_AsLong(code)) : 1;
}

}  // namespace

// cppcheck does not see the initializers of a constructor that is one try block.
// cppcheck-suppress uninitMemberVar
Activation::Activation(RequestLink& link) try : link_(link), outer_(innermost), guard_(link.flags) {
    redirect_streams();
    if (outer_ != nullptr) {
        // Exceptions of this script are not chained to one that the outer script handles.
        PyErr_GetExcInfo(&handled_[0], &handled_[1], &handled_[2]);
        PyErr_SetExcInfo(nullptr, nullptr, nullptr);
    }
    innermost = this;
} catch (const ScriptError&) {  // an earlier script has left Python unusable
    throw take_error({});
}

Activation::~Activation() {
    innermost = outer_;
    end_grace();
    set_doomed(outer_ != nullptr && outer_->failure_.is_kept());
    if (outer_ != nullptr) PyErr_SetExcInfo(handled_[0], handled_[1], handled_[2]);
    restore_streams();
}

void Activation::redirect_streams() {
    const StreamSlots& slots = stream_slots();
    const auto stream = [this](Output::Stream which) {
        const Ref& own = link_.streams[which];
        return own ? own.get() : output_stream(which);
    };
    stdout_ = exchange_item(slots.system, slots.stdout_name, stream(Output::kStdout));
    stderr_ = exchange_item(slots.system, slots.stderr_name, stream(Output::kStderr));
    for (Ref& own : link_.streams) own = Ref();
}

void Activation::put_aside() {
    const StreamSlots& slots = stream_slots();
    const auto keep = [&](Output::Stream which, PyObject* name) {
        PyObject* const now = PyDict_GetItemWithError(slots.system, name);
        if (now == nullptr && PyErr_Occurred() != nullptr) throw ScriptError();
        if (now != nullptr && now != output_stream(which)) link_.streams[which] = Ref::borrow(now);
    };
    keep(Output::kStdout, slots.stdout_name);
    keep(Output::kStderr, slots.stderr_name);
}

void Activation::begin_abandoning() noexcept {
    failure_.close_host();
    start_grace();
}

void Activation::restore_streams() noexcept {
    const PendingException pending;
    const StreamSlots& slots = stream_slots();
    if (PyDict_SetItem(slots.system, slots.stdout_name, stdout_.get()) < 0) PyErr_Clear();
    if (PyDict_SetItem(slots.system, slots.stderr_name, stderr_.get()) < 0) PyErr_Clear();
}

Activation* current_activation() noexcept { return is_forked_child() ? nullptr : innermost; }

void end_forked_child() noexcept {
    if (!is_forked_child()) return;
    // Not exit(): PostgreSQL's atexit callbacks belong to the parent.
    _exit(PyErr_Occurred() == nullptr ? 0 : report_last_exception());
}

bool is_engine_thread() noexcept { return is_guarded_thread(); }

Host& current_host() {
    if (innermost == nullptr || !is_engine_thread()) {
        PyErr_SetString(PyExc_RuntimeError,
                        is_forked_child()
                            ? "the database cannot be used in a process that a script has forked"
                            : "the database can be used only while a script runs, and only on the "
                              "thread that runs it");
        throw ScriptError();
    }
    if (innermost->is_doomed()) {
        PyErr_SetString(exception_types.host_error, "the statement has failed and must end");
        throw ScriptError();
    }
    return innermost->host();
}

void Activation::keep(std::exception_ptr exception) noexcept {
    if (failure_.keep(std::move(exception))) set_doomed(true);
}

void Activation::settle() {
    if (failure_.is_kept()) {
        set_doomed(false);
        failure_.rethrow();
    }
    if (!link_.flags.is_pending()) return;
    try {
        link_.host->check_interrupts();
    } catch (...) {
        close_host();
        throw;
    }
}

}  // namespace epe::py
