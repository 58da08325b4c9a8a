// Classes of Python values, as far as columns distinguish them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "py/base/ref_internal.h"

namespace epe::py {

/// Classes of values, as bits so that a column's classes are a set.
enum Class : unsigned {
    kNoClass = 0,  ///< NULL
    kBoolClass = 1U << 0,
    kIntClass = 1U << 1,
    kFloatClass = 1U << 2,
    kDecimalClass = 1U << 3,
    kStrClass = 1U << 4,
    kBytesClass = 1U << 5,
    kDateTimeClass = 1U << 6,
    kAwareClass = 1U << 7,  ///< datetime with a zone
    kDateClass = 1U << 8,
    kTimeClass = 1U << 9,
    kAwareTimeClass = 1U << 10,
    kDeltaClass = 1U << 11,
    kUuidClass = 1U << 12,
    kTupleClass = 1U << 13,
    kListClass = 1U << 14,
    kArrayClass = 1U << 15,  ///< numpy.ndarray of one dimension or more
    kDictClass = 1U << 16,
    kOtherClass = 1U << 17,
    /// Values for simplify(): numpy scalars, enums, sets, other libraries' sequences.
    kForeignClass = 1U << 18,
};
/// The classification and conversion of these runs no Python code.
inline constexpr unsigned kPlainClasses =
    kBoolClass | kIntClass | kFloatClass | kStrClass | kBytesClass;

/// Borrowed references at equal distances; a null counts as None.
struct Objects {
    const char* data;
    std::ptrdiff_t stride;
    std::int64_t count;

    PyObject* operator[](std::int64_t index) const noexcept {
        PyObject* const object = *reinterpret_cast<PyObject* const*>(data + index * stride);
        return object == nullptr ? Py_None : object;
    }
};

/// Owns references, one after the other.
class ObjectVector {
   public:
    ObjectVector() = default;
    ~ObjectVector();
    ObjectVector(const ObjectVector&) = delete;
    ObjectVector& operator=(const ObjectVector&) = delete;

    void reserve(std::int64_t count) { objects_.reserve(static_cast<std::size_t>(count)); }
    void push(Ref object);
    void swap(ObjectVector& other) noexcept { objects_.swap(other.objects_); }
    std::int64_t size() const noexcept { return static_cast<std::int64_t>(objects_.size()); }
    Objects objects() const noexcept {
        return {reinterpret_cast<const char*>(objects_.data()), sizeof(PyObject*), size()};
    }

   private:
    std::vector<PyObject*> objects_{};
};

/// Types of modules that may not be loaded; null when they are not. Borrowed permanently.
struct KnownTypes {
    PyTypeObject *decimal, *uuid, *enumeration;
    PyTypeObject *array, *generic, *integer, *floating, *boolean, *datetime64, *timedelta64,
        *record;
    PyTypeObject *nat, *missing, *masked, *month_day_nano;
};
const KnownTypes& known_types() noexcept;
/// Looks up the types of modules that have been loaded meanwhile. May run Python code (a module can
/// be any object), so it is called where no borrowed values are held: at the start of a column.
void find_known_types();

/// The class of a value. NaN is NULL unless kept. Runs no Python code.
class Classifier {
   public:
    explicit Classifier(bool keep_nan) : keep_nan_(keep_nan) {}
    unsigned class_of(PyObject* value);

   private:
    PyTypeObject* last_type_ = nullptr;
    unsigned last_class_ = kNoClass;
    bool keep_nan_;
};

/// Whether a value is a pyarrow.MonthDayNano: a tuple, but one value.
inline bool is_month_day_nano(PyObject* value) noexcept {
    return known_types().month_day_nano == Py_TYPE(value);
}

/// Whether an object from results.py is a numpy array.
inline bool is_array(PyObject* value) noexcept {
    return known_types().array != nullptr && PyObject_TypeCheck(value, known_types().array);
}

}  // namespace epe::py
