// Objects of Python's module datetime.
#pragma once

#include <cstdint>

#include "py/base/ref_internal.h"

namespace epe::py {

Ref make_date(std::int64_t days);                          ///< since 1970-01-01
Ref make_time(std::int64_t microseconds, PyObject* zone);  ///< since midnight; zone or None
Ref make_datetime(std::int64_t microseconds);              ///< since 1970-01-01, naive
Ref make_utc_datetime(std::int64_t microseconds);          ///< aware, timezone.utc
Ref make_timedelta(std::int64_t microseconds);
Ref make_zone(std::int32_t seconds_east);

}  // namespace epe::py
