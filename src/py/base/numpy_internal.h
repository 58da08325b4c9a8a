// numpy arrays over buffers, made without numpy's headers.
#pragma once

#include <cstdint>

#include "core/batch/buffer.h"
#include "py/base/ref_internal.h"

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

/// A one-dimensional array that owns the buffer. Needs numpy, which is imported if necessary.
Ref make_array(Buffer buffer, ElementType type, std::int64_t length);
/// A two-dimensional array of doubles in C order.
Ref make_matrix(Buffer buffer, std::int64_t rows, std::int64_t columns);

/// Rows first .. first + count - 1 of an array, as a view.
Ref slice_array(PyObject* array, std::int64_t first, std::int64_t count);

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
    /// Ends the filling and returns the array.
    Ref finish();

   private:
    Ref array_;
    Py_buffer view_{};
    PyObject** slots_ = nullptr;
};

}  // namespace epe::py
