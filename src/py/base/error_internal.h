// Converts failures between Python and C++, in both directions.
//
// Python -> C++: a failed call of Python throws ScriptError, and the caller that runs Python
// converts the pending exception to an epe::Error with take_error().
//
// C++ -> Python -> C++: a C++ function that Python calls is wrapped in callback(). A plain Error
// becomes the Python exception `_oml_epe.Error`, which a script may catch. Every other error of
// PostgreSQL (PgError) must propagate to it and be followed by a rollback: it is kept in the
// current Activation, `_oml_epe.HostError` unwinds the Python frames, and the activation rethrows
// the kept one, even if the script has caught HostError.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "core/error.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// Exception types of the builtin module `_oml_epe`, made by add_exceptions().
struct ExceptionTypes {
    /// Raised by the extension's own C++ and Python code: its text is the message, without a
    /// "TypeName: " prefix; attributes sqlstate, detail and hint (str) are optional.
    PyObject* error = nullptr;
    PyObject* host_error = nullptr;  ///< BaseException: a kept C++ exception is in flight
    PyObject* cancelled = nullptr;   ///< BaseException: the statement must end
};
extern ExceptionTypes exception_types;

/// Adds the exception types to the module `_oml_epe`. Called once, at start.
void add_exceptions(PyObject* module);

/// Fetches the pending Python exception and returns it as an Error: SQLSTATE 38000, 53200 for
/// MemoryError, or its own attribute `sqlstate`; message as Python prints it; context `place` and
/// the traceback below it. Never throws ScriptError.
Error take_error(const std::string& place);

/// Sets `_oml_epe.Error` (or `type`, a subclass of Exception) with the fields of a failure.
void set_error(const Error& failure, PyObject* type = nullptr) noexcept;

/// Keeps the exception in flight for the engine and sets `_oml_epe.HostError`, or converts a plain
/// Error to `_oml_epe.Error`. To be called in a catch block.
void set_from_current_exception() noexcept;

/// Runs the body of a C++ function that Python calls. The body returns a Ref.
template <typename Body>
PyObject* callback(Body&& body) noexcept {
    try {
        return std::forward<Body>(body)().release();
    } catch (const ScriptError&) {
        return nullptr;  // the Python exception is set
    } catch (...) {
        set_from_current_exception();
        return nullptr;
    }
}

}  // namespace epe::py
