// Converts a script's values for one column to a Column of a batch.
#pragma once

#include <Python.h>

#include <cstdint>

#include "core/batch/batch.h"
#include "py/result/column_target_internal.h"

namespace epe::py {

/// Converts a column as runtime/results.py lays it out: a one-dimensional numpy array, a list, or
/// a pair (values, mask) of arrays, where a true mask means NULL.
///
/// Which rows of a result a column holds.
struct ResultRows {
    std::int64_t count = 0;  ///< that the column must have
    std::int64_t first = 0;  ///< 0-based number of its first row in the call's result, for messages
    bool keep_nan = false;   ///< control argument oml_nan
};

/// `field.type` is the final PostgreSQL type. It guides the conversion, but the resulting kind is
/// mostly the values' own, and the sink casts it:
///
/// - None, NaN, NaT, pandas.NA are NULL. With `keep_nan` NaN stays in floats when the target is
///   a float or a decimal. Decimal("NaN") is a value.
/// - bool -> kBool, but 0 and 1 of kInt64 for a numeric target. Integers -> kInt16 to kInt64, for
///   a bool target kBool (0 is false, as PostgreSQL casts); one beyond int64 makes the column
///   kDecimal. Floats -> kFloat32, kFloat64; for a bool target kBool when all are 0 or 1.
///   Integers beside floats -> kFloat64 when exact, else kDecimal. Decimals beside any number
///   -> kDecimal.
/// - str -> kText whatever the target (kJson: a JSON string): PostgreSQL's own input function
///   parses it, which is how 'infinity', '24:00' and '1 mon' come back. bytes -> kBinary.
/// - datetime -> kTimestamp, with a zone kTimestampTz. A naive one is taken as UTC for a
///   timestamptz target, one with a zone gives its UTC wall time for a timestamp target.
///   Nanoseconds are cut off, towards the past. date and datetime64 of days or longer -> kDate;
///   time -> kTime, kTimeTz; timedelta -> kInterval; UUID -> kUuid.
/// - Text targets: bytes must be UTF-8, numbers are written like Python's repr, bool as true and
///   false, dict and list as JSON. Columns of dates and times keep their kind: PostgreSQL prints
///   them. An Enum is replaced by its value.
/// - JSON targets: whatever runtime/render.py can encode.
/// - List targets: lists, tuples, sets, arrays, nested for more dimensions; None inside is a NULL
///   element. Elements are converted towards `field.type.fields[0]`; for json elements only the
///   outermost level is the array, for composites tuples are elements.
/// - Struct targets: a dict by name (a missing field is NULL, an unknown one an error), a tuple
///   or list by position.
/// - Values of several classes -> kText, each parsed by PostgreSQL.
///
/// Throws Error that names the column and the row, counted from 1: 22003, 22008 out of range, 22021
/// text that PostgreSQL cannot store, 42804 a value that does not fit the type at all; ScriptError
/// when a method of a value raised.
Column column_from_python(PyObject* values, const Field& field, const ResultRows& rows);

// For the conversion of nested values.

Column column_of(PyObject* values, const Target& target);
Column column_of_objects(const Objects& values, const Target& target);
[[noreturn]] void fail_type(const Target& target, PyObject* value, std::int64_t index);

}  // namespace epe::py
