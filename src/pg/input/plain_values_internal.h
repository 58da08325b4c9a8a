// Values that become elements of a column without memory and without an error.
#pragma once

extern "C" {
#include "postgres.h"

#include "utils/date.h"
#include "utils/timestamp.h"
}

#include <cstdint>

#include "core/batch/column_builder.h"

namespace epe::pg {

/// The same in Python's range and from its epoch; false for an unusual value.
inline bool plain_date(Datum value, std::int32_t& days) noexcept {
    constexpr std::int64_t kEpoch = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;
    // Years 1 to 9999, relative to 1970. Infinities are outside.
    constexpr std::int64_t kFirst = -719162;
    constexpr std::int64_t kLast = 2932896;
    const std::int64_t found = std::int64_t{DatumGetDateADT(value)} + kEpoch;
    days = static_cast<std::int32_t>(found);
    return found >= kFirst && found <= kLast;
}

inline bool plain_time(Datum value, std::int64_t& microseconds) noexcept {
    microseconds = DatumGetTimeADT(value);
    return microseconds < USECS_PER_DAY;
}

inline bool plain_timestamp(Datum value, std::int64_t& microseconds) noexcept {
    constexpr std::int64_t kEpochDays = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;
    constexpr std::int64_t kEpoch = kEpochDays * USECS_PER_DAY;
    constexpr std::int64_t kFirst = -719162 * USECS_PER_DAY;
    constexpr std::int64_t kLast = (2932896 + 1) * USECS_PER_DAY - 1;
    const Timestamp timestamp = DatumGetTimestamp(value);
    if (timestamp < kFirst - kEpoch || timestamp > kLast - kEpoch) return false;
    microseconds = timestamp + kEpoch;
    return true;
}

/// Appends values without NULL as long as they are plain; returns how many, -1 when memory is
/// exhausted. A leaf that does not raise.
using PlainAppender = std::int64_t (*)(const Datum*, std::int64_t, ColumnBuilder&) noexcept;

/// The appender of columns of this kind and base type; null if they have none.
PlainAppender plain_appender(Kind kind, Oid type) noexcept;

}  // namespace epe::pg
