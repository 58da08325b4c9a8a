// Columns from Python values of module datetime.
#pragma once

#include "py/result/column_target_internal.h"

namespace epe::py {

Column column_of_python_times(const Objects& values, unsigned classes, const Target& target);
/// str() of a datetime, converted to UTC if the target's input would assume another zone.
Ref text_of_datetime(PyObject* value, Kind target);
/// A timedelta in a format that PostgreSQL reads for every IntervalStyle.
Ref text_of_delta(PyObject* value);

}  // namespace epe::py
