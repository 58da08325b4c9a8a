// Converts columns to numpy arrays, in place where the layout allows it.
#include "py/array_columns_internal.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "py/object_values_internal.h"

namespace epe::py {

namespace {

constexpr auto kNotATime = std::numeric_limits<std::int64_t>::min();

/// Calls visit(row) for every NULL.
template <typename Visit>
void for_each_null(const Column& column, Visit visit) {
    if (column.null_count == 0) return;
    const auto* const bits = column.validity.as<std::uint8_t>();
    const std::int64_t bytes = (column.length + 7) / 8;
    for (std::int64_t byte = 0; byte < bytes; ++byte) {
        if (bits[byte] == 0xFF) continue;
        const std::int64_t end = std::min<std::int64_t>(column.length, byte * 8 + 8);
        for (std::int64_t row = byte * 8; row < end; ++row)
            if ((bits[byte] >> (row & 7) & 1) == 0) visit(row);
    }
}

Buffer buffer_of(std::int64_t length, std::size_t width) {
    Buffer buffer;
    if (!buffer.resize(static_cast<std::size_t>(length) * width)) throw std::bad_alloc();
    return buffer;
}

/// Integers with NULLs: doubles with NaN, as pandas itself makes them.
template <typename Integer>
Ref integers(Column column, ElementType type) {
    if (column.null_count == 0) return make_array(std::move(column.values), type, column.length);
    Buffer doubles = buffer_of(column.length, sizeof(double));
    std::copy_n(column.values.as<Integer>(), column.length, doubles.as<double>());
    for_each_null(column, [&](std::int64_t row) {
        doubles.as<double>()[row] = std::numeric_limits<double>::quiet_NaN();
    });
    return make_array(std::move(doubles), ElementType::kFloat64, column.length);
}

/// Multiplies all values but NaT; false, with nothing changed, when one would not fit.
bool scale(std::int64_t* values, std::int64_t length, std::int64_t factor) noexcept {
    const std::int64_t limit = std::numeric_limits<std::int64_t>::max() / factor;
    bool fits = true;  // without a jump, so that the loop is vectorised
    for (std::int64_t i = 0; i < length; ++i)
        fits &= (values[i] <= limit && values[i] >= -limit) || values[i] == kNotATime;
    if (!fits) return false;
    for (std::int64_t i = 0; i < length; ++i)
        values[i] = values[i] == kNotATime ? kNotATime : values[i] * factor;
    return true;
}

std::int64_t factor_of(ElementType type) noexcept {
    switch (type) {
        case ElementType::kDateTimeSeconds:
            return 86'400;  // of a day
        case ElementType::kDateTimeNanoseconds:
        case ElementType::kTimeDeltaNanoseconds:
            return 1000;  // of a microsecond
        default:
            return 1;
    }
}

Ref objects(const Column& column, const ArrayOptions& options) {
    return ObjectValues(column, {.is_aware = options.is_pandas}).array();
}

Ref microseconds(Column column, ElementType type, const ArrayOptions& options) {
    const std::int64_t factor = factor_of(type);
    const bool fits =
        column.unusual_count() == 0 &&
        (factor == 1 || scale(column.values.as<std::int64_t>(), column.length, factor));
    if (!fits) return objects(column, options);
    return make_array(std::move(column.values), type, column.length);
}

Ref dates(Column column, const ArrayOptions& options) {
    constexpr std::int64_t kNanosecondsPerDay = 86'400'000'000'000;
    if (column.unusual_count() > 0) return objects(column, options);
    Buffer days = buffer_of(column.length, sizeof(std::int64_t));
    std::copy_n(column.values.as<std::int32_t>(), column.length, days.as<std::int64_t>());
    for_each_null(column, [&](std::int64_t row) { days.as<std::int64_t>()[row] = kNotATime; });
    const std::int64_t factor = options.date == ElementType::kDateTimeNanoseconds
                                    ? kNanosecondsPerDay
                                    : factor_of(options.date);
    if (factor != 1 && !scale(days.as<std::int64_t>(), column.length, factor))
        return objects(column, options);
    return make_array(std::move(days), options.date, column.length);
}

/// Booleans with NULLs have no array of their own: True, False and None.
Ref booleans(Column column, const ArrayOptions& options) {
    if (column.null_count > 0) return objects(column, options);
    return make_array(std::move(column.values), ElementType::kBool, column.length);
}

}  // namespace

Ref array_from_column(Column column, const ArrayOptions& options) {
    switch (column.type.kind) {
        case Kind::kBool:
            return booleans(std::move(column), options);
        case Kind::kInt16:
            return integers<std::int16_t>(std::move(column), ElementType::kInt16);
        case Kind::kInt32:
            return integers<std::int32_t>(std::move(column), ElementType::kInt32);
        case Kind::kInt64:
            return integers<std::int64_t>(std::move(column), ElementType::kInt64);
        case Kind::kFloat32:
            return make_array(std::move(column.values), ElementType::kFloat32, column.length);
        case Kind::kFloat64:
            return make_array(std::move(column.values), ElementType::kFloat64, column.length);
        case Kind::kDate:
            return dates(std::move(column), options);
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
            return microseconds(std::move(column), options.timestamp, options);
        case Kind::kInterval:
            return microseconds(std::move(column), options.interval, options);
        default:
            return objects(column, options);
    }
}

Ref raw_array(const Column& column) {
    const auto copy_as = [&](ElementType type) {
        Buffer values;
        if (!values.append(column.values.data(), column.values.size())) throw std::bad_alloc();
        return make_array(std::move(values), type, column.length);
    };
    switch (column.unusual_count() > 0 ? Kind::kNull : column.type.kind) {
        case Kind::kBool:
            return copy_as(ElementType::kBool);
        case Kind::kInt16:
            return copy_as(ElementType::kInt16);
        case Kind::kInt32:
            return copy_as(ElementType::kInt32);
        case Kind::kInt64:
            return copy_as(ElementType::kInt64);
        case Kind::kFloat32:
            return copy_as(ElementType::kFloat32);
        case Kind::kFloat64:
            return copy_as(ElementType::kFloat64);
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
            return copy_as(ElementType::kDateTimeMicroseconds);
        case Kind::kInterval:
            return copy_as(ElementType::kTimeDeltaMicroseconds);
        case Kind::kDate: {
            Buffer days = buffer_of(column.length, sizeof(std::int64_t));
            std::copy_n(column.values.as<std::int32_t>(), column.length, days.as<std::int64_t>());
            return make_array(std::move(days), ElementType::kDateTimeDays, column.length);
        }
        default:
            return ObjectValues(column, {}).array();
    }
}

}  // namespace epe::py
