// Owning references to Python objects, and the exception for a pending Python exception.
#pragma once

#include <Python.h>

#include <cstdint>
#include <string_view>
#include <utility>

#if PY_VERSION_HEX < 0x030A0000
/// As in Python 3.10.
inline int PyModule_AddObjectRef(PyObject* module, const char* name, PyObject* value) noexcept {
    Py_XINCREF(value);
    const int result = PyModule_AddObject(module, name, value);
    if (result < 0) Py_XDECREF(value);
    return result;
}
#endif

namespace epe::py {

/// Thrown when a call of Python failed: the Python exception is pending in the interpreter.
/// take_error() (py/base/error_internal.h) converts it to an epe::Error once Python has returned to
/// C++, or callback() returns it to Python unchanged.
struct ScriptError {};

/// Owns one reference, or nothing.
class Ref {
   public:
    Ref() noexcept = default;
    ~Ref() { Py_XDECREF(object_); }
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref&& other) noexcept {
        // The old object may run Python code when it is destroyed: store this one first.
        PyObject* const old = std::exchange(object_, std::exchange(other.object_, nullptr));
        Py_XDECREF(old);
        return *this;
    }
    Ref(const Ref&) = delete;
    Ref& operator=(const Ref&) = delete;

    /// Takes ownership of a new reference; throws ScriptError when it is null.
    static Ref steal(PyObject* object) {
        if (object == nullptr) throw ScriptError();
        return Ref(object);
    }
    /// Adds a reference of its own; throws ScriptError when it is null.
    static Ref borrow(PyObject* object) {
        if (object == nullptr) throw ScriptError();
        Py_INCREF(object);
        return Ref(object);
    }
    /// Py_None.
    static Ref none() noexcept {
        Py_INCREF(Py_None);
        return Ref(Py_None);
    }

    PyObject* get() const noexcept { return object_; }
    PyObject* release() noexcept { return std::exchange(object_, nullptr); }
    explicit operator bool() const noexcept { return object_ != nullptr; }
    Ref copy() const noexcept {
        Py_XINCREF(object_);
        return Ref(object_);
    }

   private:
    explicit Ref(PyObject* object) noexcept : object_(object) {}

    PyObject* object_ = nullptr;
};

/// For Python functions that return -1 when they fail.
inline int checked(int status) {
    if (status < 0) throw ScriptError();
    return status;
}

inline Ref to_python(std::string_view text) {
    return Ref::steal(
        PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}
inline Ref to_python(std::int64_t value) { return Ref::steal(PyLong_FromLongLong(value)); }

inline Ref attribute(PyObject* object, const char* name) {
    return Ref::steal(PyObject_GetAttrString(object, name));
}
inline Ref import_module(const char* name) { return Ref::steal(PyImport_ImportModule(name)); }

/// An attribute of a module, which is imported at the first use. Never released, like the module: a
/// static object without a destructor (architecture.md, "Ownership").
class ImportedObject {
   public:
    constexpr ImportedObject(const char* module, const char* name) noexcept
        : module_(module), name_(name) {}
    /// Borrowed. Throws ScriptError if the import fails; the next call tries again.
    PyObject* get() {
        if (object_ == nullptr) object_ = attribute(import_module(module_).get(), name_).release();
        return object_;
    }

   private:
    const char* module_;
    const char* name_;
    PyObject* object_ = nullptr;
};

/// Calls with positional arguments.
template <typename... Arguments>
Ref call(PyObject* callable, const Arguments&... arguments) {
    PyObject* const vector[] = {nullptr, arguments.get()...};
    return Ref::steal(PyObject_Vectorcall(
        callable, vector + 1, sizeof...(arguments) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
}

/// UTF-8 of a str, valid as long as the object. A null means a failed call.
inline std::string_view utf8(PyObject* text) {
    if (text == nullptr) throw ScriptError();
    Py_ssize_t size = 0;
    const char* const data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data == nullptr) throw ScriptError();
    return {data, static_cast<std::size_t>(size)};
}

/// Saves the pending Python exception and restores it: for code that may run Python while a failure
/// is handled.
class PendingException {
   public:
    PendingException() noexcept { PyErr_Fetch(&type_, &value_, &traceback_); }
    ~PendingException() { PyErr_Restore(type_, value_, traceback_); }
    PendingException(const PendingException&) = delete;
    PendingException& operator=(const PendingException&) = delete;

   private:
    PyObject* type_ = nullptr;
    PyObject* value_ = nullptr;
    PyObject* traceback_ = nullptr;
};

}  // namespace epe::py
