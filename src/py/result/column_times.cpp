// Columns of dates, times and intervals from objects of Python's module datetime.
#include "py/result/column_times_internal.h"

#include <Python.h>

#include <datetime.h>

#include <cstdlib>
#include <cstring>

#include "py/base/time_objects_internal.h"
#include "py/result/column_texts_internal.h"

namespace epe::py {

namespace {

constexpr std::int64_t kSecond = 1000000;
constexpr std::int64_t kDay = 86400 * kSecond;

void import_datetime() {
    if (PyDateTimeAPI != nullptr) return;
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == nullptr) throw ScriptError();
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (years from 1).
std::int64_t days_of(PyObject* date) noexcept {
    // Counted in years that begin in March, so that the leap day is the last.
    const std::int64_t month = PyDateTime_GET_MONTH(date);
    const std::int64_t year = PyDateTime_GET_YEAR(date) - (month <= 2 ? 1 : 0);
    const std::int64_t day_of_year =
        (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + PyDateTime_GET_DAY(date) - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

std::int64_t microseconds_of_delta(PyObject* delta) noexcept {
    return PyDateTime_DELTA_GET_DAYS(delta) * kDay + PyDateTime_DELTA_GET_SECONDS(delta) * kSecond +
           PyDateTime_DELTA_GET_MICROSECONDS(delta);
}

/// Offset of a datetime or time from UTC; false when its zone does not define it.
bool offset_of(PyObject* value, PyObject* zone, std::int64_t& microseconds) {
    microseconds = 0;
    if (zone == PyDateTime_TimeZone_UTC) return true;
    const Ref offset = call(attribute(value, "utcoffset").get());
    if (offset.get() == Py_None) return false;
    if (!PyDelta_Check(offset.get())) {
        PyErr_SetString(PyExc_TypeError, "utcoffset() must return a timedelta");
        throw ScriptError();
    }
    // An overridden method may return anything; computations rely on less than a day.
    const int days = PyDateTime_DELTA_GET_DAYS(offset.get());
    if (days == 0 || days == -1) microseconds = microseconds_of_delta(offset.get());
    if (days > 0 || days < -1 || microseconds == -kDay) {
        PyErr_SetString(PyExc_ValueError, "utcoffset() must be less than a day");
        throw ScriptError();
    }
    return true;
}

/// Wall time of a naive datetime, UTC of one with a zone; midnight of a date.
std::int64_t microseconds_of(PyObject* value) {
    std::int64_t result = days_of(value) * kDay;
    if (!PyDateTime_Check(value)) return result;
    result += PyDateTime_DATE_GET_HOUR(value) * 3600 * kSecond +
              PyDateTime_DATE_GET_MINUTE(value) * 60 * kSecond +
              PyDateTime_DATE_GET_SECOND(value) * kSecond + PyDateTime_DATE_GET_MICROSECOND(value);
    const auto* const fields = reinterpret_cast<PyDateTime_DateTime*>(value);
    if (fields->hastzinfo == 0) return result;
    std::int64_t offset = 0;
    (void)offset_of(value, fields->tzinfo, offset);
    return result - offset;
}

std::int64_t microseconds_of_time(PyObject* value) noexcept {
    return PyDateTime_TIME_GET_HOUR(value) * 3600 * kSecond +
           PyDateTime_TIME_GET_MINUTE(value) * 60 * kSecond +
           PyDateTime_TIME_GET_SECOND(value) * kSecond + PyDateTime_TIME_GET_MICROSECOND(value);
}

/// A column of one number per value.
template <typename Value, typename Convert>
Column number_column(Kind kind, const Objects& values, const Convert& convert) {
    Column column = fixed_column(kind, values.count);
    Classifier classifier(false);
    for (std::int64_t i = 0; i < values.count; ++i) {
        check_now_and_then(i);
        if (classifier.class_of(values[i]) == kNoClass) {
            mark_null(column, i);
            clear_slot(column, i);
        } else {
            column.values.as<Value>()[i] = convert(values[i], i);
        }
    }
    return column;
}

/// Times whose zones define their offsets; kTime when none does.
Column zoned_time_column(const Objects& values, const Target& target) {
    std::int64_t without_offset = 0;
    std::int64_t nulls = 0;
    Column column =
        number_column<TimeWithZone>(Kind::kTimeTz, values, [&](PyObject* value, std::int64_t) {
            std::int64_t offset = 0;
            if (!offset_of(value, reinterpret_cast<PyDateTime_Time*>(value)->tzinfo, offset))
                ++without_offset;
            return TimeWithZone{microseconds_of_time(value),
                                static_cast<std::int32_t>(offset / kSecond), 0};
        });
    nulls = column.null_count;
    if (without_offset == 0) return column;
    if (without_offset < values.count - nulls) return column_of_texts(values, target);
    return number_column<std::int64_t>(Kind::kTime, values, [](PyObject* value, std::int64_t) {
        return microseconds_of_time(value);
    });
}

/// The kind of a column of dates and datetimes; kText if only the values' texts show which ones
/// have a zone.
Kind timestamp_kind(unsigned classes, Kind target) noexcept {
    if (classes == kDateClass) return Kind::kDate;
    if (target == Kind::kTimestamp || target == Kind::kTimestampTz) return target;
    // The day and the time of day are those of the timestamp column: in UTC.
    if (target == Kind::kDate || target == Kind::kTime) return Kind::kTimestamp;
    if ((classes & kAwareClass) == 0) return Kind::kTimestamp;
    return classes == kAwareClass ? Kind::kTimestampTz : Kind::kText;
}

/// The same time as an object of class datetime itself.
Ref plain_datetime(PyObject* value) {
    PyObject* const zone = reinterpret_cast<PyDateTime_DateTime*>(value)->hastzinfo != 0
                               ? reinterpret_cast<PyDateTime_DateTime*>(value)->tzinfo
                               : Py_None;
    return Ref::steal(PyDateTimeAPI->DateTime_FromDateAndTimeAndFold(
        PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value),
        PyDateTime_DATE_GET_HOUR(value), PyDateTime_DATE_GET_MINUTE(value),
        PyDateTime_DATE_GET_SECOND(value), PyDateTime_DATE_GET_MICROSECOND(value), zone,
        PyDateTime_DATE_GET_FOLD(value), PyDateTimeAPI->DateTimeType));
}

}  // namespace

Ref text_of_datetime(PyObject* value, Kind target) {
    import_datetime();
    const bool is_aware = reinterpret_cast<PyDateTime_DateTime*>(value)->hastzinfo != 0;
    // PostgreSQL would leave out the zone.
    if (is_aware && (target == Kind::kTimestamp || target == Kind::kDate || target == Kind::kTime))
        return Ref::steal(PyObject_Str(make_datetime(microseconds_of(value)).get()));
    // A subclass may print nanoseconds, which PostgreSQL would round.
    const Ref plain = PyDateTime_CheckExact(value) ? Ref::borrow(value) : plain_datetime(value);
    const Ref text = Ref::steal(PyObject_Str(plain.get()));
    // PostgreSQL would assume the session's zone.
    if (!is_aware && target == Kind::kTimestampTz)
        return Ref::steal(PyUnicode_FromFormat("%U+00", text.get()));
    return text.copy();
}

Ref text_of_delta(PyObject* value) {
    import_datetime();
    int days = PyDateTime_DELTA_GET_DAYS(value);
    std::int64_t rest =
        PyDateTime_DELTA_GET_SECONDS(value) * kSecond + PyDateTime_DELTA_GET_MICROSECONDS(value);
    // Python's remainder is never negative; this one has the sign of the days, as in columns of
    // timedeltas only.
    if (days < 0 && rest > 0) {
        ++days;
        rest -= kDay;
    }
    const auto size = static_cast<int>(std::abs(rest) / kSecond);
    const auto fraction = static_cast<int>(std::abs(rest) % kSecond);
    // The explicit sign keeps a minus before the days from applying to the seconds, too.
    return Ref::steal(PyUnicode_FromFormat("%d days %c%d.%06d seconds", days, rest < 0 ? '-' : '+',
                                           size, fraction));
}

Column column_of_python_times(const Objects& values, unsigned classes, const Target& target) {
    import_datetime();
    if (classes == kTimeClass)
        return number_column<std::int64_t>(Kind::kTime, values, [](PyObject* value, std::int64_t) {
            return microseconds_of_time(value);
        });
    if (classes == kAwareTimeClass) return zoned_time_column(values, target);
    if (classes == kDeltaClass)
        return number_column<std::int64_t>(
            Kind::kInterval, values, [&](PyObject* value, std::int64_t index) {
                __int128 result = PyDateTime_DELTA_GET_DAYS(value);
                result = result * kDay + PyDateTime_DELTA_GET_SECONDS(value) * kSecond +
                         PyDateTime_DELTA_GET_MICROSECONDS(value);
                if (result > INT64_MAX || result < INT64_MIN) target.place.fail_time_range(index);
                return static_cast<std::int64_t>(result);
            });
    const Kind kind = timestamp_kind(classes, target.kind());
    if (kind == Kind::kText) return column_of_texts(values, target);
    if (kind == Kind::kDate)
        return number_column<std::int32_t>(kind, values, [](PyObject* value, std::int64_t) {
            return static_cast<std::int32_t>(days_of(value));
        });
    return number_column<std::int64_t>(
        kind, values, [](PyObject* value, std::int64_t) { return microseconds_of(value); });
}

}  // namespace epe::py
