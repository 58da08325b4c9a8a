// numpy arrays over buffers, made without numpy's headers.
#pragma once

#include <cstdint>
#include <functional>

#include "core/buffer.h"
#include "py/ref_internal.h"

namespace epe::py {

enum class ElementType : std::uint8_t {
    kBool,
    kInt16,
    kInt32,
    kInt64,
    kFloat32,
    kFloat64,
    kObject,
    kDateTimeDays,
    kDateTimeSeconds,
    kDateTimeMicroseconds,
    kDateTimeNanoseconds,
    kTimeDeltaMicroseconds,
    kTimeDeltaNanoseconds,
    kCount,
};

/// A one-dimensional array that owns the buffer. Needs numpy, which is imported at need.
Ref make_array(Buffer buffer, ElementType type, std::int64_t length);
/// A two-dimensional array of doubles in C order.
Ref make_matrix(Buffer buffer, std::int64_t rows, std::int64_t columns);

/// Rows first .. first + count - 1 of an array, as a view.
Ref slice_array(PyObject* array, std::int64_t first, std::int64_t count);

/// The array as numpy itself sees it: of class ndarray, whatever a subclass says about its type or
/// shape. Throws Error 22023 for one whose memory cannot be read, or is not that of objects where
/// it should hold them (as_strided and its like can make both).
Ref plain_array(PyObject* array);
/// What plain_array() checks.
void check_array_memory(PyObject* array);
/// The same for a record (numpy.void), which may be a view of an array.
void check_record_memory(PyObject* record);
/// Calls `visit` for each object in an array of objects that check_array_memory() has passed.
void visit_objects(PyObject* array, const std::function<void(PyObject*)>& visit);
/// An attribute of an array or a scalar as numpy's own type has it, whatever a subclass says.
Ref native_attribute(PyObject* value, const char* name);

/// A new array of objects, filled slot by slot.
class ObjectArray {
   public:
    explicit ObjectArray(std::int64_t length);
    ~ObjectArray();
    ObjectArray(const ObjectArray&) = delete;
    ObjectArray& operator=(const ObjectArray&) = delete;

    void set(std::int64_t row, Ref value) noexcept {
        PyObject* const old = slots_[row];
        slots_[row] = value.release();
        Py_XDECREF(old);
    }
    /// Ends the filling and hands the array out.
    Ref finish();

   private:
    Ref array_;
    Py_buffer view_{};
    PyObject** slots_ = nullptr;
};

}  // namespace epe::py
