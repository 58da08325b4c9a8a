// Shared by the files of column_from_python.
#pragma once

#include <cstdint>
#include <string>

#include "py/result/column_writer_internal.h"
#include "py/result/value_classifier_internal.h"

namespace epe::py {

/// The target of a column.
struct Target {
    const Field& field;
    const Place& place;
    bool keep_nan;

    Kind kind() const noexcept { return field.type.kind; }
    /// A character string, to which PostgreSQL's text of any value can be assigned.
    bool is_text() const noexcept {
        return kind() == Kind::kText && field.type.variant == Variant::kPlain;
    }
    /// A type without a kind of its own: its values are texts in Python.
    bool is_printed() const noexcept { return field.type.variant == Variant::kPrinted; }
    bool keeps_nan() const noexcept {
        return keep_nan &&
               (kind() == Kind::kFloat32 || kind() == Kind::kFloat64 || kind() == Kind::kDecimal);
    }
};

// ---- column_from_python.cpp
Column column_of(PyObject* values, const Target& target);
Column column_of_objects(const Objects& values, const Target& target);
[[noreturn]] void fail_type(const Target& target, PyObject* value, std::int64_t index);

// ---- column_arrays.cpp, column_array_times.cpp: one-dimensional arrays without objects
Column column_of_array(PyObject* array, char kind, const Target& target);
Column column_of_times(PyObject* array, char kind, const Target& target);

/// The ratio between a numpy time unit and a microsecond.
struct TimeUnit {
    std::int64_t multiply = 1;  ///< microseconds, or with is_date days, per unit
    std::int64_t divide = 1;
    bool is_date = false;
    bool is_months = false;  ///< `multiply` months per unit
    bool is_none = false;    ///< a timedelta64 without unit

    /// False when out of range.
    bool to_microseconds(std::int64_t value, std::int64_t& result) const noexcept;
    /// Days since 1970; false when out of range.
    bool to_days(std::int64_t value, std::int64_t& result) const noexcept;
};
TimeUnit time_unit_of(PyObject* dtype);
/// A timedelta64 of months or years, in PostgreSQL's input format.
std::string months_text(std::int64_t value, const TimeUnit& unit);
inline constexpr std::int64_t kNat = INT64_MIN;

// ---- column_times.cpp, column_numbers.cpp, column_texts.cpp, column_nested.cpp
Column column_of_python_times(const Objects& values, unsigned classes, const Target& target);
/// str() of a datetime, converted to UTC if the target's input would assume another zone.
Ref text_of_datetime(PyObject* value, Kind target);
/// A timedelta in a format that PostgreSQL reads for every IntervalStyle.
Ref text_of_delta(PyObject* value);
Column column_of_numbers(const Objects& values, unsigned classes, const Target& target);
Column column_of_uuids(const Objects& values, const Target& target);
Column column_of_bytes(const Objects& values, const Target& target);
Column column_of_texts(const Objects& values, const Target& target);
Column column_of_hstores(const Objects& values, const Target& target);
Column column_of_json(const Objects& values, const Target& target);
Column column_of_lists(const Objects& values, const Target& target);
Column column_of_structs(const Objects& values, const Target& target);

/// The plain Python value for a foreign one; None for NaT.
Ref simplify(PyObject* value, const Target& target, std::int64_t index);

/// True for an array of at least one dimension; an array without dimensions is its element.
bool has_dimensions(PyObject* value);
}  // namespace epe::py
