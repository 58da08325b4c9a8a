// Whole columns as numpy arrays.
#pragma once

#include <cstdint>

#include "core/batch/batch.h"
#include "py/base/numpy_internal.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// Capabilities of the consumer of the arrays.
struct ArrayOptions {
    /// Unit of dates, timestamps and intervals: the one of the installed pandas, or numpy's.
    ElementType date = ElementType::kDateTimeDays;
    ElementType timestamp = ElementType::kDateTimeMicroseconds;
    ElementType interval = ElementType::kTimeDeltaMicroseconds;
    bool is_pandas = false;  ///< values converted to objects are aware if the type is
    /// Numeric and boolean columns become pairs (values, boolean array that is true at NULL).
    bool is_nullable = false;
    /// Lists of floats of one length become one two-dimensional array.
    bool is_vector = false;
    std::int64_t vector_size = 0;  ///< of a column without rows; 0: unknown
};

/// The column as an array of `length` elements. Fixed-width buffers are used without a copy if the
/// column has no NULLs; NULLs make integers float64 with NaN, or objects if a value is beyond 2^53,
/// and booleans objects with None. A column of times becomes objects when one of its values does
/// not fit the unit. kTimestampTz becomes naive UTC.
Ref array_from_column(Column column, const ArrayOptions& options);

/// The elements as stored, without regard to NULLs: the basis of list values. Copies.
Ref raw_array(const Column& column);

}  // namespace epe::py
