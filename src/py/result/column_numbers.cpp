// Columns of numbers, UUIDs and bytes from Python objects.
#include "py/result/column_numbers_internal.h"

#include <cmath>
#include <cstring>

#include "py/result/column_from_python_internal.h"

namespace epe::py {

namespace {

constexpr std::int64_t kExactInFloat = std::int64_t{1} << 53;

/// A subclass of Decimal may return anything as its digits.
std::string checked_decimal(PyObject* value, const Target& target, std::int64_t index) {
    std::string text = decimal_text(value);
    for (const char byte : text)
        if (byte <= ' ' || byte > '~') fail_type(target, value, index);
    return text;
}

Column decimal_column(const Objects& values, const Target& target) {
    BytesWriter writer(Kind::kDecimal, values.count);
    Classifier classifier(target.keeps_nan());
    for (std::int64_t i = 0; i < values.count; ++i) {
        switch (classifier.class_of(values[i])) {
            case kNoClass:
                writer.append_null();
                break;
            case kBoolClass:
                writer.append(values[i] == Py_True ? "1" : "0");
                break;
            case kIntClass:
                writer.append(utf8(Ref::steal(PyNumber_ToBase(values[i], 10)).get()));
                break;
            default:
                writer.append(checked_decimal(values[i], target, i));
        }
    }
    return writer.finish();
}

/// Integers and booleans. False when one is beyond int64.
bool fill_integers(const Objects& values, Column& column) {
    auto* const out = column.values.as<std::int64_t>();
    for (std::int64_t i = 0; i < values.count; ++i) {
        check_now_and_then(i);
        PyObject* const value = values[i];
        if (!PyLong_Check(value)) {  // NULL
            mark_null(column, i);
            out[i] = 0;
            continue;
        }
        int overflow = 0;
        out[i] = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow != 0) return false;
    }
    return true;
}

/// Value of a bool, an int or a float; runs no __bool__ of a subclass.
bool is_true(PyObject* value) noexcept {
    if (PyFloat_Check(value)) return PyFloat_AS_DOUBLE(value) != 0.0;
    return PyLong_Type.tp_as_number->nb_bool(value) != 0;
}

Column bool_column(const Objects& values, const Target& target) {
    Column column = fixed_column(Kind::kBool, values.count);
    auto* const out = column.values.as<std::uint8_t>();
    Classifier classifier(target.keeps_nan());
    for (std::int64_t i = 0; i < values.count; ++i) {
        check_now_and_then(i);
        out[i] = 0;
        if (classifier.class_of(values[i]) == kNoClass)
            mark_null(column, i);
        else
            out[i] = is_true(values[i]) ? 1 : 0;
    }
    return column;
}

/// Floats, with integers among them. False when an integer is not exact as a double.
bool fill_floats(const Objects& values, Column& column, bool keep_nan) {
    auto* const out = column.values.as<double>();
    for (std::int64_t i = 0; i < values.count; ++i) {
        check_now_and_then(i);
        PyObject* const value = values[i];
        if (PyFloat_Check(value)) {
            out[i] = PyFloat_AS_DOUBLE(value);
            if (out[i] != out[i] && !keep_nan) mark_null(column, i);
        } else if (PyLong_Check(value)) {
            int overflow = 0;
            const long long integer = PyLong_AsLongLongAndOverflow(value, &overflow);
            if (overflow != 0 || integer > kExactInFloat || integer < -kExactInFloat) return false;
            out[i] = static_cast<double>(integer);
        } else {
            out[i] = std::nan("");
            mark_null(column, i);
        }
    }
    return true;
}

bool are_truth_values(const Column& floats) noexcept {
    const auto* const values = floats.values.as<double>();
    for (std::int64_t i = 0; i < floats.length; ++i)
        if (!floats.is_null(i) && values[i] != 0.0 && values[i] != 1.0) return false;
    return true;
}

}  // namespace

Column column_of_numbers(const Objects& values, unsigned classes, const Target& target) {
    if ((classes & kDecimalClass) != 0) return decimal_column(values, target);
    const bool is_bool = target.kind() == Kind::kBool;
    if ((classes & kFloatClass) != 0) {
        Column column = fixed_column(Kind::kFloat64, values.count);
        if (!fill_floats(values, column, target.keeps_nan())) return decimal_column(values, target);
        if (is_bool && are_truth_values(column)) return bool_column(values, target);
        return column;
    }
    if (is_bool || (classes == kBoolClass && !is_numeric(target.kind())))
        return bool_column(values, target);
    Column column = fixed_column(Kind::kInt64, values.count);
    if (!fill_integers(values, column)) return decimal_column(values, target);
    return column;
}

Column column_of_bytes(const Objects& values, const Target&) {
    BytesWriter writer(Kind::kBinary, values.count);
    for (std::int64_t i = 0; i < values.count; ++i) {
        PyObject* const value = values[i];
        if (PyBytes_Check(value))
            writer.append(
                {PyBytes_AS_STRING(value), static_cast<std::size_t>(PyBytes_GET_SIZE(value))});
        else
            writer.append_null();
    }
    return writer.finish();
}

Column column_of_uuids(const Objects& values, const Target& target) {
    Column column = fixed_column(Kind::kUuid, values.count);
    Classifier classifier(target.keeps_nan());
    for (std::int64_t i = 0; i < values.count; ++i) {
        check_now_and_then(i);
        std::byte* const slot = column.values.data() + i * 16;
        if (classifier.class_of(values[i]) == kNoClass) {
            mark_null(column, i);
            std::memset(slot, 0, 16);
            continue;
        }
        const Ref bytes = attribute(values[i], "bytes");
        if (!PyBytes_Check(bytes.get()) || PyBytes_GET_SIZE(bytes.get()) != 16)
            fail_type(target, values[i], i);
        std::memcpy(slot, PyBytes_AS_STRING(bytes.get()), 16);
    }
    return column;
}

}  // namespace epe::py
