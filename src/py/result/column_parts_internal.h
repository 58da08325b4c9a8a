// What the files of column_from_python share.
#pragma once

#include <cstdint>
#include <string>

#include "py/result/column_writer_internal.h"
#include "py/result/value_classifier_internal.h"

namespace epe::py {

/// What a column is made for.
struct Target {
    const Field& field;
    const Place& place;
    bool keep_nan;

    Kind kind() const noexcept { return field.type.kind; }
    /// A character string, for which PostgreSQL's text of any value will do.
    bool is_text() const noexcept {
        return kind() == Kind::kText && field.type.variant == Variant::kPlain;
    }
    /// A type without a kind of its own, whose values are texts in Python.
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

// ---- column_arrays.cpp, column_array_times.cpp: arrays of one dimension and no objects
Column column_of_array(PyObject* array, char kind, const Target& target);
Column column_of_times(PyObject* array, char kind, const Target& target);

/// How many of a numpy time unit a microsecond is, or the other way round.
struct TimeUnit {
    std::int64_t multiply = 1;  ///< microseconds, or with is_date days, a unit
    std::int64_t divide = 1;
    bool is_date = false;
    bool is_months = false;  ///< `multiply` months a unit
    bool is_none = false;    ///< a timedelta64 without unit

    /// False when out of range.
    bool to_microseconds(std::int64_t value, std::int64_t& result) const noexcept;
    /// Days since 1970; false when out of range.
    bool to_days(std::int64_t value, std::int64_t& result) const noexcept;
};
TimeUnit time_unit_of(PyObject* dtype);
/// A timedelta64 of months or years, as PostgreSQL reads it.
std::string months_text(std::int64_t value, const TimeUnit& unit);
inline constexpr std::int64_t kNat = INT64_MIN;

// ---- column_times.cpp, column_numbers.cpp, column_texts.cpp, column_nested.cpp
Column column_of_python_times(const Objects& values, unsigned classes, const Target& target);
/// str() of a datetime, moved to UTC where the target's input would take it in another zone.
Ref text_of_datetime(PyObject* value, Kind target);
/// A timedelta as PostgreSQL reads it whatever its IntervalStyle.
Ref text_of_delta(PyObject* value);
Column column_of_numbers(const Objects& values, unsigned classes, const Target& target);
Column column_of_uuids(const Objects& values, const Target& target);
Column column_of_bytes(const Objects& values, const Target& target);
Column column_of_texts(const Objects& values, const Target& target);
Column column_of_hstores(const Objects& values, const Target& target);
Column column_of_json(const Objects& values, const Target& target);
Column column_of_lists(const Objects& values, const Target& target);
Column column_of_structs(const Objects& values, const Target& target);

/// The plain Python value that a foreign one stands for; None for NaT.
Ref simplify(PyObject* value, const Target& target, std::int64_t index);

/// True for an array that is not a lone element: one without dimensions is its element.
bool has_dimensions(PyObject* value);
}  // namespace epe::py
