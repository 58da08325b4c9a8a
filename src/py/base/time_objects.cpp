// Dates and times through the C interface of Python's datetime module.
#include "py/base/time_objects_internal.h"

#include <Python.h>
#include <datetime.h>

namespace epe::py {

namespace {

constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr std::int64_t kMicrosecondsPerDay = 86'400 * kMicrosecondsPerSecond;

const PyDateTime_CAPI& interface() {
    if (PyDateTimeAPI == nullptr) PyDateTime_IMPORT;
    if (PyDateTimeAPI == nullptr) throw ScriptError();
    return *PyDateTimeAPI;
}

struct Civil {
    int year;
    int month;
    int day;
};

/// The proleptic Gregorian date of a day (H. Hinnant, chrono-compatible date algorithms).
Civil civil_from_days(std::int64_t days) noexcept {
    const std::int64_t shifted = days + 719468;  // since 0000-03-01
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const std::int64_t day_of_era = shifted - era * 146097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const auto day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    const auto month =
        static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    const auto year = static_cast<int>(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
    return {year, month, day};
}

struct Clock {
    int hour;
    int minute;
    int second;
    int microsecond;
};

Clock clock_from(std::int64_t microseconds) noexcept {
    const std::int64_t seconds = microseconds / kMicrosecondsPerSecond;
    return {static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
            static_cast<int>(seconds % 60),
            static_cast<int>(microseconds % kMicrosecondsPerSecond)};
}

Ref datetime_from(std::int64_t microseconds, PyObject* zone) {
    std::int64_t days = microseconds / kMicrosecondsPerDay;
    std::int64_t rest = microseconds % kMicrosecondsPerDay;
    if (rest < 0) {
        rest += kMicrosecondsPerDay;
        --days;
    }
    const Civil date = civil_from_days(days);
    const Clock clock = clock_from(rest);
    const PyDateTime_CAPI& python = interface();
    return Ref::steal(python.DateTime_FromDateAndTime(date.year, date.month, date.day, clock.hour,
                                                      clock.minute, clock.second, clock.microsecond,
                                                      zone, python.DateTimeType));
}

}  // namespace

Ref make_date(std::int64_t days) {
    const Civil date = civil_from_days(days);
    const PyDateTime_CAPI& python = interface();
    return Ref::steal(python.Date_FromDate(date.year, date.month, date.day, python.DateType));
}

Ref make_time(std::int64_t microseconds, PyObject* zone) {
    const Clock clock = clock_from(microseconds);
    const PyDateTime_CAPI& python = interface();
    return Ref::steal(python.Time_FromTime(clock.hour, clock.minute, clock.second,
                                           clock.microsecond, zone, python.TimeType));
}

Ref make_datetime(std::int64_t microseconds) { return datetime_from(microseconds, Py_None); }

Ref make_utc_datetime(std::int64_t microseconds) {
    return datetime_from(microseconds, interface().TimeZone_UTC);
}

Ref make_timedelta(std::int64_t microseconds) {
    std::int64_t days = microseconds / kMicrosecondsPerDay;
    std::int64_t rest = microseconds % kMicrosecondsPerDay;
    if (rest < 0) {
        rest += kMicrosecondsPerDay;
        --days;
    }
    const PyDateTime_CAPI& python = interface();
    return Ref::steal(python.Delta_FromDelta(static_cast<int>(days),
                                             static_cast<int>(rest / kMicrosecondsPerSecond),
                                             static_cast<int>(rest % kMicrosecondsPerSecond),
                                             /* normalize */ 1, python.DeltaType));
}

Ref make_zone(std::int32_t seconds_east) {
    const Ref offset = make_timedelta(seconds_east * kMicrosecondsPerSecond);
    return Ref::steal(interface().TimeZone_FromTimeZone(offset.get(), nullptr));
}

}  // namespace epe::py
