// Converts Python exceptions to Errors and C++ exceptions to Python exceptions.
#include "py/base/error_internal.h"

#include <algorithm>
#include <stdexcept>
#include <typeinfo>

#include "py/base/activation_internal.h"

namespace epe::py {

ExceptionTypes exception_types;

namespace {

constexpr std::size_t kStateLength = 5;
constexpr Py_ssize_t kLongestText = 32768;  // characters of a detail or a hint

PyObject* add_exception(PyObject* module, const char* name, PyObject* base) {
    const std::string qualified = std::string("_oml_epe.") + name;
    Ref type = Ref::steal(PyErr_NewException(qualified.c_str(), base, nullptr));
    checked(PyModule_AddObjectRef(module, name, type.get()));
    return type.release();  // lives as long as the process
}

/// The pending exception, normalised and with its traceback.
Ref fetch_exception() noexcept {
    PyObject* type = nullptr;
    PyObject* value = nullptr;
    PyObject* traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != nullptr && traceback != nullptr) PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value == nullptr ? Ref() : Ref::steal(value);
}

/// A str attribute of an exception; empty when there is none.
std::string text_attribute(PyObject* exception, const char* name) noexcept {
    try {
        const Ref value = attribute(exception, name);
        if (!PyUnicode_Check(value.get())) return {};
        const Py_ssize_t size = std::min(PyUnicode_GET_LENGTH(value.get()), kLongestText);
        return std::string(utf8(Ref::steal(PyUnicode_Substring(value.get(), 0, size)).get()));
    } catch (...) {
        PyErr_Clear();
    }
    return {};
}

bool is_sqlstate(const std::string& text) noexcept {
    if (text.size() != kStateLength) return false;
    for (const char c : text)
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))) return false;
    // Classes 00 to 02 are success, warning and no data: no error has them.
    return text[0] != '0' || (text[1] != '0' && text[1] != '1' && text[1] != '2');
}

std::string sqlstate_of(PyObject* exception) {
    if (PyErr_GivenExceptionMatches(exception, PyExc_MemoryError)) return sqlstate::kOutOfMemory;
    std::string own = text_attribute(exception, "sqlstate");
    return is_sqlstate(own) ? own : sqlstate::kScriptFailed;
}

/// Message and traceback as formatted by the runtime module `errors`.
void describe(PyObject* exception, ErrorReport& report) {
    try {
        static constinit ImportedObject describe_function{"_oml_epe_runtime.errors", "describe"};
        const Ref answer = call(describe_function.get(), Ref::borrow(exception));
        report.message = utf8(PyTuple_GetItem(answer.get(), 0));
        report.context = utf8(PyTuple_GetItem(answer.get(), 1));
    } catch (const ScriptError&) {
        PyErr_Clear();  // out of memory or nested too deeply: use the name of the type
        report.message = Py_TYPE(exception)->tp_name;
    }
}

/// Help for common mistakes: a hint, or the missing module.
void add_help(PyObject* exception, ErrorReport& report) {
    try {
        static constinit ImportedObject help_function{"_oml_epe_runtime.errors", "help_of"};
        const Ref answer = call(help_function.get(), Ref::borrow(exception));
        report.hint = utf8(PyTuple_GetItem(answer.get(), 0));
        report.missing_module = utf8(PyTuple_GetItem(answer.get(), 1));
    } catch (const ScriptError&) {
        PyErr_Clear();  // the error is reported without help
    }
}

}  // namespace

void add_exceptions(PyObject* module) {
    exception_types.error = add_exception(module, "Error", PyExc_Exception);
    exception_types.host_error = add_exception(module, "HostError", PyExc_BaseException);
    exception_types.cancelled = add_exception(module, "Cancelled", PyExc_BaseException);
}

Error take_error(const std::string& place) {
    const Ref exception = fetch_exception();
    if (!exception) return {sqlstate::kInternal, "Python failed without an exception"};
    if (PyErr_GivenExceptionMatches(exception.get(), exception_types.cancelled))
        return {sqlstate::kQueryCanceled, "canceling statement due to user request"};
    ErrorReport report;
    report.sqlstate = sqlstate_of(exception.get());
    report.detail = text_attribute(exception.get(), "detail");
    report.hint = text_attribute(exception.get(), "hint");
    describe(exception.get(), report);
    if (report.hint.empty()) add_help(exception.get(), report);
    if (!place.empty())
        report.context = report.context.empty() ? place : place + "\n" + report.context;
    PyErr_Clear();
    return Error(std::move(report));
}

void set_error(const Error& failure, PyObject* type) noexcept {
    try {
        const ErrorReport& report = failure.report();
        if (type == nullptr) type = exception_types.error;
        const Ref exception = call(type, to_python(report.message));
        const auto set = [&](const char* name, const std::string& text) {
            checked(PyObject_SetAttrString(exception.get(), name, to_python(text).get()));
        };
        set("sqlstate", report.sqlstate);
        set("detail", report.detail);
        set("hint", report.hint);
        set("context", report.context);
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
    } catch (const ScriptError&) {  // that exception is set instead
    }
}

void set_from_current_exception() noexcept {
    const std::exception_ptr in_flight = std::current_exception();
    try {
        throw;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return;
    } catch (const std::length_error&) {
        PyErr_SetString(PyExc_OverflowError, "a value is too long");
        return;
    } catch (const Error& error) {
        // A subclass is PostgreSQL's own error, which requires a rollback; so does the end of the
        // statement, even when a subtransaction has been rolled back for it.
        const std::string& state = error.report().sqlstate;
        const bool ends_statement = state == sqlstate::kQueryCanceled || state.starts_with("57P");
        if (typeid(error) == typeid(Error) && !ends_statement) {
            set_error(error);
            return;
        }
    } catch (...) {  // any other exception must not get lost
    }
    if (Activation* const active = current_activation()) active->keep(in_flight);
    PyErr_SetString(exception_types.host_error, "the statement has failed and must end");
}

}  // namespace epe::py
