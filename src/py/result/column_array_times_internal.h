// Columns from numpy arrays of times.
#pragma once

#include <cstdint>
#include <string>

#include "py/result/column_target_internal.h"

namespace epe::py {

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

}  // namespace epe::py
