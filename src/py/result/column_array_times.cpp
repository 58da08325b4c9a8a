// Columns from numpy arrays of datetime64 and timedelta64, in any unit.
#include "py/result/column_array_times_internal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace epe::py {

namespace {

using Wide = __int128;  // GCC's and clang's: units multiply beyond 64 bits

Wide floor_divide(Wide value, Wide divisor) noexcept {
    const Wide quotient = value / divisor;
    return value % divisor < 0 ? quotient - 1 : quotient;
}

bool narrow(Wide value, std::int64_t& result) noexcept {
    // INT64_MIN is NaT.
    if (value > INT64_MAX || value <= INT64_MIN) return false;
    result = static_cast<std::int64_t>(value);
    return true;
}

/// The date arithmetic of days_of(), for any year that fits.
std::int64_t days_of_month(std::int64_t months_since_1970) noexcept {
    const std::int64_t month = ((months_since_1970 % 12) + 12) % 12 + 1;
    std::int64_t year = 1970 + (months_since_1970 - (month - 1)) / 12;
    if (month <= 2) --year;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

struct UnitName {
    std::string_view name;
    TimeUnit unit;
};

constexpr std::int64_t kSecond = 1000000;
constexpr std::array<UnitName, 13> kUnits{{
    {"Y", {.multiply = 12, .is_date = true, .is_months = true}},
    {"M", {.multiply = 1, .is_date = true, .is_months = true}},
    {"W", {.multiply = 7, .is_date = true}},
    {"D", {.multiply = 1, .is_date = true}},
    {"h", {.multiply = 3600 * kSecond}},
    {"m", {.multiply = 60 * kSecond}},
    {"s", {.multiply = kSecond}},
    {"ms", {.multiply = 1000}},
    {"us", {}},
    {"ns", {.divide = 1000}},
    {"ps", {.divide = kSecond}},
    {"fs", {.divide = 1000 * kSecond}},
    {"as", {.divide = kSecond * kSecond}},
}};

/// Values of an int64 view of the array, in the machine's byte order.
class Int64View {
   public:
    explicit Int64View(PyObject* array) {
        checked(PyObject_GetBuffer(array, &view_, PyBUF_STRIDED_RO));
    }
    ~Int64View() { PyBuffer_Release(&view_); }
    Int64View(const Int64View&) = delete;
    Int64View& operator=(const Int64View&) = delete;

    std::int64_t count() const noexcept { return view_.shape[0]; }
    std::int64_t operator[](std::int64_t index) const noexcept {
        std::int64_t value = 0;
        std::memcpy(&value, static_cast<const char*>(view_.buf) + index * view_.strides[0],
                    sizeof value);
        return value;
    }

   private:
    Py_buffer view_{};
};

Column date_column(const Int64View& view, const TimeUnit& unit, const Target& target) {
    Column column = fixed_column(Kind::kDate, view.count());
    auto* const out = column.values.as<std::int32_t>();
    for (std::int64_t i = 0; i < column.length; ++i) {
        check_now_and_then(i);
        out[i] = 0;
        if (view[i] == kNat) {
            mark_null(column, i);
            continue;
        }
        std::int64_t days = 0;
        if (!unit.to_days(view[i], days) || days > INT32_MAX || days < INT32_MIN)
            target.place.fail_time_range(i);
        out[i] = static_cast<std::int32_t>(days);
    }
    return column;
}

/// Timestamps or intervals.
Column microsecond_column(Kind kind, const Int64View& view, const TimeUnit& unit,
                          const Target& target) {
    Column column = fixed_column(kind, view.count());
    auto* const out = column.values.as<std::int64_t>();
    // The units of pandas, polars and pyarrow need no wide arithmetic.
    if (unit.multiply == 1 && unit.divide == 1 && !unit.is_date) {
        for (std::int64_t i = 0; i < column.length; ++i) out[i] = view[i];
    } else if (unit.multiply == 1 && unit.divide == 1000) {
        for (std::int64_t i = 0; i < column.length; ++i) {
            const std::int64_t value = view[i];
            out[i] = value == kNat ? kNat : value / 1000 - (value % 1000 < 0 ? 1 : 0);
        }
    } else {
        for (std::int64_t i = 0; i < column.length; ++i) {
            check_now_and_then(i);
            out[i] = kNat;
            if (view[i] != kNat && !unit.to_microseconds(view[i], out[i]))
                target.place.fail_time_range(i);
        }
    }
    for (std::int64_t i = 0; i < column.length; ++i)
        if (out[i] == kNat) mark_null(column, i);
    return column;
}

Column months_column(const Int64View& view, const TimeUnit& unit) {
    BytesWriter writer(Kind::kText, view.count());
    for (std::int64_t i = 0; i < view.count(); ++i) {
        if (view[i] == kNat)
            writer.append_null();
        else
            writer.append(months_text(view[i], unit));
    }
    return writer.finish();
}

}  // namespace

bool TimeUnit::to_days(std::int64_t value, std::int64_t& result) const noexcept {
    std::int64_t units = 0;
    if (!narrow(Wide{value} * multiply, units)) return false;
    constexpr std::int64_t kMostMonths = std::int64_t{1} << 50;
    if (is_months && (units > kMostMonths || units < -kMostMonths)) return false;
    result = is_months ? days_of_month(units) : units;
    return true;
}

bool TimeUnit::to_microseconds(std::int64_t value, std::int64_t& result) const noexcept {
    constexpr std::int64_t kDay = 86400 * kSecond;
    return narrow(floor_divide(Wide{value} * multiply * (is_date ? kDay : 1), divide), result);
}

TimeUnit time_unit_of(PyObject* dtype) {
    // From <M8[25us]: numpy.datetime_data() would return it, but a script can replace that.
    const Ref text = attribute(dtype, "str");
    const std::string_view all = utf8(text.get());
    const std::size_t open = all.find('[');
    if (open == std::string_view::npos || !all.ends_with(']')) return {.is_none = true};
    std::string_view name = all.substr(open + 1, all.size() - open - 2);
    std::int32_t count = 1;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), count);
    if (problem == std::errc()) name.remove_prefix(static_cast<std::size_t>(end - name.data()));
    const auto* const found = std::find_if(kUnits.begin(), kUnits.end(),
                                           [=](const UnitName& unit) { return unit.name == name; });
    if (found == kUnits.end()) return {.is_none = true};
    TimeUnit unit = found->unit;
    unit.multiply *= problem == std::errc() ? count : 1;  // both small
    return unit;
}

std::string months_text(std::int64_t value, const TimeUnit& unit) {
    std::int64_t months = 0;
    if (!narrow(Wide{value} * unit.multiply, months)) months = INT64_MAX;  // PostgreSQL rejects it
    return std::to_string(months) + " mons";
}

Column column_of_times(PyObject* array, char kind, const Target& target) {
    const Ref dtype = attribute(array, "dtype");
    Ref native = Ref::borrow(array);
    if (attribute(dtype.get(), "isnative").get() == Py_False) {
        const Ref order = call(attribute(dtype.get(), "newbyteorder").get(), to_python("="));
        native = call(attribute(array, "astype").get(), order);
    }
    const Ref integers = call(attribute(native.get(), "view").get(), to_python("i8"));
    const Int64View view(integers.get());
    const TimeUnit unit = time_unit_of(dtype.get());
    bool has_value = false;
    for (std::int64_t i = 0; i < view.count() && !has_value; ++i) has_value = view[i] != kNat;
    if (!has_value) return null_column(view.count());
    if (unit.is_none)
        target.place.fail(
            sqlstate::kInvalidArgument,
            kind == 'M' ? "datetime64 without a unit in" : "timedelta64 without a unit in", 0);
    if (kind == 'm')
        return unit.is_months ? months_column(view, unit)
                              : microsecond_column(Kind::kInterval, view, unit, target);
    if (unit.is_date) return date_column(view, unit, target);
    return microsecond_column(target.kind() == Kind::kTimestampTz ? Kind::kTimestampTz
                                                                  : Kind::kTimestamp,
                              view, unit, target);
}

}  // namespace epe::py
