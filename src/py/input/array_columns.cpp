// Converts columns to numpy arrays, in place where the layout allows it.
#include "py/input/array_columns_internal.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "py/input/object_values_internal.h"

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

Ref objects(const Column& column, const ArrayOptions& options) {
    return ObjectValues(column, {.is_aware = options.is_pandas}).array();
}

/// Whether all the values are exact as doubles.
bool are_exact_in_double(const std::int64_t* values, std::int64_t length) noexcept {
    constexpr std::int64_t kExact = std::int64_t{1} << 53;
    bool are_exact = true;  // branch-free, so that the loop is vectorised
    for (std::int64_t i = 0; i < length; ++i)
        are_exact &= values[i] <= kExact && values[i] >= -kExact;
    return are_exact;
}

/// Integers with NULLs: doubles with NaN, like pandas itself; objects if a value would not be
/// exact.
template <typename Integer>
Ref integers(Column column, ElementType type, const ArrayOptions& options) {
    if (column.null_count == 0) return make_array(std::move(column.values), type, column.length);
    if constexpr (sizeof(Integer) == sizeof(std::int64_t)) {
        if (!are_exact_in_double(column.values.as<std::int64_t>(), column.length))
            return objects(column, options);
    }
    Buffer doubles = buffer_of(column.length, sizeof(double));
    std::copy_n(column.values.as<Integer>(), column.length, doubles.as<double>());
    for_each_null(column, [&](std::int64_t row) {
        doubles.as<double>()[row] = std::numeric_limits<double>::quiet_NaN();
    });
    return make_array(std::move(doubles), ElementType::kFloat64, column.length);
}

/// Multiplies all values except NaT; false, with nothing changed, when one would overflow.
bool scale(std::int64_t* values, std::int64_t length, std::int64_t factor) noexcept {
    const std::int64_t limit = std::numeric_limits<std::int64_t>::max() / factor;
    bool fits = true;  // branch-free, so that the loop is vectorised
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
            return 86'400;  // per day
        case ElementType::kDateTimeNanoseconds:
        case ElementType::kTimeDeltaNanoseconds:
            return 1000;  // per microsecond
        default:
            return 1;
    }
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

/// Booleans with NULLs become an object array of True, False and None.
Ref booleans(Column column, const ArrayOptions& options) {
    if (column.null_count > 0) return objects(column, options);
    return make_array(std::move(column.values), ElementType::kBool, column.length);
}

/// Vectors of one length without NULLs: a two-dimensional array.
Ref vectors(Column column, const ArrayOptions& options) {
    const auto* const ends = column.offsets.as<std::int64_t>();
    std::int64_t width = options.vector_size;
    if (column.length > 0) width = ends[1] - ends[0];
    bool is_regular = column.null_count == 0 && width > 0 && column.children[0].null_count == 0;
    for (std::int64_t row = 0; is_regular && row < column.length; ++row)
        is_regular = ends[row + 1] - ends[row] == width;
    if (!is_regular) return objects(column, options);
    const Ref flat = make_array(std::move(column.children[0].values), ElementType::kFloat32,
                                column.length * width);
    return call(attribute(flat.get(), "reshape").get(), to_python(column.length), to_python(width));
}

bool has_nullable_type(Kind kind) noexcept {
    return kind == Kind::kBool || kind == Kind::kInt16 || kind == Kind::kInt32 ||
           kind == Kind::kInt64 || kind == Kind::kFloat32 || kind == Kind::kFloat64;
}

/// The values, arbitrary under a NULL, and a boolean array that is true at NULL.
Ref values_and_mask(Column column, const ArrayOptions& options) {
    Buffer mask;
    if (!mask.resize_zeroed(static_cast<std::size_t>(column.length))) throw std::bad_alloc();
    for_each_null(column, [&](std::int64_t row) { mask.as<std::uint8_t>()[row] = 1; });
    const std::int64_t length = column.length;
    column.null_count = 0;
    ArrayOptions plain = options;
    plain.is_nullable = false;
    const Ref values = array_from_column(std::move(column), plain);
    const Ref nulls = make_array(std::move(mask), ElementType::kBool, length);
    return Ref::steal(PyTuple_Pack(2, values.get(), nulls.get()));
}

}  // namespace

Ref array_from_column(Column column, const ArrayOptions& options) {
    if (options.is_nullable && has_nullable_type(column.type.kind))
        return values_and_mask(std::move(column), options);
    switch (column.type.kind) {
        case Kind::kList:
            return options.is_vector ? vectors(std::move(column), options)
                                     : objects(column, options);
        case Kind::kBool:
            return booleans(std::move(column), options);
        case Kind::kInt16:
            return integers<std::int16_t>(std::move(column), ElementType::kInt16, options);
        case Kind::kInt32:
            return integers<std::int32_t>(std::move(column), ElementType::kInt32, options);
        case Kind::kInt64:
            return integers<std::int64_t>(std::move(column), ElementType::kInt64, options);
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
