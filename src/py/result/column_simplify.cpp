// Replaces scalars of numpy and of other libraries by plain Python values.
#include "py/result/column_simplify_internal.h"

#include <cmath>

#include "py/base/numpy_internal.h"
#include "py/base/time_objects_internal.h"
#include "py/result/array_memory_internal.h"
#include "py/result/column_array_times_internal.h"
#include "py/result/reachable_memory_internal.h"

namespace epe::py {

namespace {

constexpr std::int64_t kFirstMicrosecond = -62135596800000000;  // 0001-01-01, datetime's first
constexpr std::int64_t kLastMicrosecond = 253402300799999999;   // 9999-12-31, its last
constexpr std::int64_t kMicrosecondsPerDay = 86400000000;

bool is_a(PyObject* value, PyTypeObject* type) noexcept {
    return type != nullptr && PyObject_TypeCheck(value, type) != 0;
}

/// The int64 inside a numpy.datetime64 or timedelta64.
std::int64_t raw_time(PyObject* value) {
    // numpy's own method: a subclass may override it.
    const Ref view = attribute(reinterpret_cast<PyObject*>(known_types().generic), "view");
    const Ref bits = call(view.get(), Ref::borrow(value), to_python("i8"));
    const Ref integer = Ref::steal(PyNumber_Index(bits.get()));
    const long long raw = PyLong_AsLongLong(integer.get());
    if (raw == -1 && PyErr_Occurred() != nullptr) throw ScriptError();
    return raw;
}

Ref simplify_datetime64(PyObject* value, const Target& target, std::int64_t index) {
    const std::int64_t raw = raw_time(value);
    if (raw == kNat) return Ref::none();
    const TimeUnit unit = time_unit_of(native_attribute(value, "dtype").get());
    std::int64_t result = 0;
    if (unit.is_date) {
        if (!unit.to_days(raw, result) || result < kFirstMicrosecond / kMicrosecondsPerDay ||
            result > kLastMicrosecond / kMicrosecondsPerDay)
            target.place.fail_time_range(index);
        return make_date(result);
    }
    if (!unit.to_microseconds(raw, result) || result < kFirstMicrosecond ||
        result > kLastMicrosecond)
        target.place.fail_time_range(index);
    return make_datetime(result);
}

Ref simplify_timedelta64(PyObject* value, const Target& target, std::int64_t index) {
    const std::int64_t raw = raw_time(value);
    if (raw == kNat) return Ref::none();
    const TimeUnit unit = time_unit_of(native_attribute(value, "dtype").get());
    if (unit.is_none)
        target.place.fail(sqlstate::kInvalidArgument, "timedelta64 without a unit in", index);
    if (unit.is_months) return to_python(months_text(raw, unit));
    std::int64_t result = 0;
    if (!unit.to_microseconds(raw, result)) target.place.fail_time_range(index);
    return make_timedelta(result);
}

/// A longdouble may exceed the range of a double.
Ref simplify_floating(PyObject* value, const Target& target, std::int64_t index) {
    Ref plain = Ref::steal(PyNumber_Float(value));
    if (std::isinf(PyFloat_AS_DOUBLE(plain.get())) &&
        checked(PyObject_RichCompareBool(value, plain.get(), Py_EQ)) == 0)
        target.place.fail_range(index);
    return plain;
}

/// A row of a structured array becomes a dict.
Ref simplify_record(PyObject* value) {
    const Ref names = attribute(native_attribute(value, "dtype").get(), "names");
    if (!PyTuple_Check(names.get())) return Ref::steal(PyBytes_FromObject(value));
    Ref dict = Ref::steal(PyDict_New());
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names.get()); ++i) {
        PyObject* const name = PyTuple_GET_ITEM(names.get(), i);
        const Ref field = Ref::steal(PyObject_GetItem(value, name));
        checked(PyDict_SetItem(dict.get(), name, field.get()));
    }
    return dict;
}

/// Calls the conversion to plain Python of other libraries: pyarrow's scalars and arrays, the
/// Series of polars and pandas, pandas' Index, and its extension arrays. Null for other objects.
Ref simplify_by_method(PyObject* value) {
    const Ref validated = attribute(import_module("_oml_epe_runtime.checks").get(), "validated");
    call(validated.get(), Ref::borrow(value));
    for (const char* name : {"as_py", "to_pylist", "to_list"}) {
        if (PyObject* const method = PyObject_GetAttrString(value, name))
            return call(Ref::steal(method).get());
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) throw ScriptError();
        PyErr_Clear();
    }
    const Ref elements =
        attribute(import_module("_oml_epe_runtime.checks").get(), "extension_values");
    Ref list = call(elements.get(), Ref::borrow(value));
    return list.get() == Py_None ? Ref() : std::move(list);
}

}  // namespace

bool has_dimensions(PyObject* value) {
    return is_array(value) && PyTuple_Size(native_attribute(value, "shape").get()) > 0;
}

Ref simplify(PyObject* value, const Target& target, std::int64_t index) {
    const KnownTypes& known = known_types();
    if (is_a(value, known.enumeration)) return attribute(value, "value");
    if (is_a(value, known.array)) {
        if (has_dimensions(value)) return Ref::borrow(value);
        const Ref lone = plain_array(value);
        return Ref::steal(PyObject_GetItem(lone.get(), Ref::steal(PyTuple_New(0)).get()));
    }
    if (is_a(value, known.boolean)) {
        return Ref::borrow(checked(PyObject_IsTrue(value)) != 0 ? Py_True : Py_False);
    }
    if (is_a(value, known.datetime64)) return simplify_datetime64(value, target, index);
    if (is_a(value, known.timedelta64)) return simplify_timedelta64(value, target, index);
    if (is_a(value, known.integer)) return Ref::steal(PyNumber_Index(value));
    if (is_a(value, known.floating)) return simplify_floating(value, target, index);
    if (is_a(value, known.record)) {
        check_record_memory(value);
        return simplify_record(value);
    }
    if (is_month_day_nano(value)) {
        static constinit ImportedObject text{"_oml_epe_runtime.intervals", "interval_text"};
        return call(text.get(), Ref::borrow(value));
    }
    if (PyMemoryView_Check(value)) check_reachable_memory(value);
    if (PyByteArray_Check(value) || PyMemoryView_Check(value))
        return Ref::steal(PyBytes_FromObject(value));
    if (PyAnySet_Check(value) || PyRange_Check(value)) return Ref::steal(PySequence_List(value));
    Ref plain = simplify_by_method(value);
    return plain ? std::move(plain) : Ref::borrow(value);
}

}  // namespace epe::py
