// Whole columns as numpy arrays.
#pragma once

#include <cstdint>

#include "core/batch/batch.h"
#include "py/base/numpy_internal.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// What the consumer of the arrays can hold.
struct ArrayOptions {
    /// Unit of dates, timestamps and intervals: what the installed pandas keeps, or numpy's.
    ElementType date = ElementType::kDateTimeDays;
    ElementType timestamp = ElementType::kDateTimeMicroseconds;
    ElementType interval = ElementType::kTimeDeltaMicroseconds;
    bool is_pandas = false;  ///< values that end up as objects are aware where the type is
    /// Columns of numbers and booleans as pairs (values, array of booleans that are true at NULL).
    bool is_nullable = false;
    /// Lists of floats of one length as one array of two dimensions.
    bool is_vector = false;
    std::int64_t vector_size = 0;  ///< of a column without rows; 0: not known
};

/// The column as an array of `length` elements. Fixed-width buffers are taken over without a copy
/// where the column has no NULLs; NULLs make integers float64 with NaN, or objects where a value is
/// beyond 2^53, and booleans objects with None. A column of times becomes objects when one of its
/// values does not fit the unit. kTimestampTz gives naive UTC.
Ref array_from_column(Column column, const ArrayOptions& options);

/// The elements as they lie in memory, NULLs not looked at: the stuff of list values. Copies.
Ref raw_array(const Column& column);

}  // namespace epe::py
