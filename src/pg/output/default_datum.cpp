// Makes Datums of the natural PostgreSQL type of a kind of column.
#include "pg/output/default_datum_internal.h"

#include <cmath>
#include <cstdlib>
#include <limits>

#include "pg/boundary/encoding_internal.h"
#include "pg/types/column_types_internal.h"

extern "C" {
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

namespace epe::pg {

namespace {

constexpr int64 kEpochDays = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;
constexpr int64 kEpochMicroseconds = kEpochDays * USECS_PER_DAY;

template <typename T>
T value_at(const Column& column, std::int64_t row) noexcept {
    return column.values.as<T>()[row];
}

// -------------------------------------------------------------------------------- numbers

[[noreturn]] void raise_integer_out_of_range(std::int64_t value, Oid type) noexcept {
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("value \"%lld\" is out of range for type %s",
                           static_cast<long long>(value), format_type_be(type))));
}

template <typename Source, typename Target, Oid kType>
Datum make_integer(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const std::int64_t value = value_at<Source>(column, row);
    if constexpr (sizeof(Source) > sizeof(Target)) {
        if (value < std::numeric_limits<Target>::min() ||
            value > std::numeric_limits<Target>::max())
            raise_integer_out_of_range(value, kType);
    }
    if constexpr (sizeof(Target) == sizeof(int16)) return Int16GetDatum(static_cast<int16>(value));
    if constexpr (sizeof(Target) == sizeof(int32)) return Int32GetDatum(static_cast<int32>(value));
    return Int64GetDatum(value);
}

template <typename Source>
Datum make_float8(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return Float8GetDatum(static_cast<float8>(value_at<Source>(column, row)));
}

template <typename Source>
Datum make_bool(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return BoolGetDatum(value_at<Source>(column, row) != 0);
}

Datum make_float4(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return Float4GetDatum(value_at<float>(column, row));
}

Datum make_float4_of_double(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const double value = value_at<double>(column, row);
    const auto narrowed = static_cast<float>(value);
    if ((std::isinf(narrowed) && !std::isinf(value)) || (narrowed == 0 && value != 0))
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                        errmsg("value \"%g\" is out of range for type real", value)));
    return Float4GetDatum(narrowed);
}

/// Rounds like the cast.
template <typename Source>
Datum make_bigint_of_float(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return DirectFunctionCall1(dtoi8,
                               Float8GetDatum(static_cast<float8>(value_at<Source>(column, row))));
}

Datum numeric_of_text(char* text) noexcept {
    return DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
                               Int32GetDatum(-1));
}

/// By the shortest digits that read back as the same float. PostgreSQL's own cast keeps 15 digits,
/// which would change integers above 10^15.
template <typename Source>
Datum make_numeric_of_float(const Conversion&, const Column& column, std::int64_t row) noexcept {
    char digits[DOUBLE_SHORTEST_DECIMAL_LEN];
    if constexpr (sizeof(Source) == sizeof(float))
        (void)float_to_shortest_decimal_buf(value_at<float>(column, row), digits);
    else
        (void)double_to_shortest_decimal_buf(value_at<double>(column, row), digits);
    return numeric_of_text(digits);
}

/// The text of float8 and real with all digits, for every value of extra_float_digits.
template <typename Source>
Datum make_text_of_float(const Conversion&, const Column& column, std::int64_t row) noexcept {
    char digits[DOUBLE_SHORTEST_DECIMAL_LEN];
    int size = 0;
    if constexpr (sizeof(Source) == sizeof(float))
        size = float_to_shortest_decimal_bufn(value_at<float>(column, row), digits);
    else
        size = double_to_shortest_decimal_bufn(value_at<double>(column, row), digits);
    return PointerGetDatum(cstring_to_text_with_len(digits, size));
}

// ---------------------------------------------------------------------------- bytes and texts

struct Bytes {
    const char* data;
    std::size_t size;
};

Bytes bytes_at(const Column& column, std::int64_t row) noexcept {
    const Column* texts = &column;
    if (column.has_dictionary) {
        row = value_at<std::int32_t>(column, row);
        texts = column.children.data();
    }
    const Bytes bytes{texts->bytes_at(row), static_cast<std::size_t>(texts->bytes_length(row))};
    if (bytes.size > MaxAllocSize - VARHDRSZ - 1)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("value of %zu bytes is too long", bytes.size),
                        errdetail("A value can have at most 1 GB.")));
    return bytes;
}

Datum varlena_of(Bytes bytes) noexcept {
    return PointerGetDatum(cstring_to_text_with_len(bytes.data, static_cast<int>(bytes.size)));
}

Bytes server_text_at(const Column& column, std::int64_t row) noexcept {
    Bytes text = bytes_at(column, row);
    text.data = from_utf8(text.data, &text.size);
    return text;
}

Bytes server_json_at(const Column& column, std::int64_t row) noexcept {
    Bytes json = bytes_at(column, row);
    json.data = from_utf8(json.data, &json.size, Escape::kJson);
    return json;
}

char* c_string_at(const Column& column, std::int64_t row) noexcept {
    const Bytes text = server_text_at(column, row);
    return pnstrdup(text.data, text.size);
}

Datum make_text(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return varlena_of(server_text_at(column, row));
}

/// JSON with a text target.
Datum make_text_of_json(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return varlena_of(server_json_at(column, row));
}

Datum make_bytea(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return varlena_of(bytes_at(column, row));
}

/// For types without a cast from bytea: their input function reads the bytes as text.
Datum make_text_of_bytes(const Conversion&, const Column& column, std::int64_t row) noexcept {
    Bytes text = bytes_at(column, row);
    (void)pg_verify_mbstr(PG_UTF8, text.data, static_cast<int>(text.size), /* noError */ false);
    text.data = from_utf8(text.data, &text.size);
    return varlena_of(text);
}

Datum make_numeric(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return numeric_of_text(c_string_at(column, row));
}

Datum make_json(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const Bytes json = server_json_at(column, row);
    return DirectFunctionCall1(json_in, CStringGetDatum(pnstrdup(json.data, json.size)));
}

/// jsonb stores the characters themselves, so there is no escape for those that the encoding lacks.
Datum make_jsonb(const Conversion&, const Column& column, std::int64_t row) noexcept {
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(c_string_at(column, row)));
}

Datum make_uuid(const Conversion&, const Column& column, std::int64_t row) noexcept {
    auto* uuid = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
    std::memcpy(uuid->data, column.values.as<char>() + row * UUID_LEN, UUID_LEN);
    return UUIDPGetDatum(uuid);
}

// --------------------------------------------------------------------------- dates and times

[[noreturn]] void raise_time_out_of_range(const char* type) noexcept {
    ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("%s out of range", type)));
}

Datum make_date(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const int64 days = value_at<std::int32_t>(column, row) - kEpochDays;
    if (!IS_VALID_DATE(days)) raise_time_out_of_range("date");
    return DateADTGetDatum(static_cast<DateADT>(days));
}

bool is_time_of_day(int64 microseconds) noexcept {
    return microseconds >= 0 && microseconds <= USECS_PER_DAY;
}

Datum make_time(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const auto microseconds = value_at<std::int64_t>(column, row);
    if (!is_time_of_day(microseconds)) raise_time_out_of_range("time");
    return TimeADTGetDatum(microseconds);
}

Datum make_timetz(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const auto& value = column.values.as<TimeWithZone>()[row];
    if (!is_time_of_day(value.microseconds)) raise_time_out_of_range("time");
    if (std::abs(value.seconds_east) >= TZDISP_LIMIT) raise_time_out_of_range("time zone offset");
    auto* time = static_cast<TimeTzADT*>(palloc(sizeof(TimeTzADT)));
    time->time = value.microseconds;
    time->zone = -value.seconds_east;
    return TimeTzADTPGetDatum(time);
}

Datum make_timestamp(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const auto since_1970 = value_at<std::int64_t>(column, row);
    if (since_1970 < std::numeric_limits<std::int64_t>::min() + kEpochMicroseconds ||
        !IS_VALID_TIMESTAMP(since_1970 - kEpochMicroseconds))
        raise_time_out_of_range("timestamp");
    return TimestampGetDatum(since_1970 - kEpochMicroseconds);
}

Datum make_interval(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const auto microseconds = value_at<std::int64_t>(column, row);
    auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
    interval->day = static_cast<int32>(microseconds / USECS_PER_DAY);
    interval->time = microseconds % USECS_PER_DAY;
    return IntervalPGetDatum(interval);
}

Datum make_interval_of_parts(const Conversion&, const Column& column, std::int64_t row) noexcept {
    const auto parts = value_at<MonthDayNano>(column, row);
    auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
    interval->month = parts.months;
    interval->day = parts.days;
    interval->time = parts.nanoseconds / 1000;
    return IntervalPGetDatum(interval);
}

// ------------------------------------------------------------------------------ the choice

template <typename Source>
NaturalType integer_type(Oid target) noexcept {
    switch (target) {
        case BOOLOID:
            return {BOOLOID, make_bool<Source>};
        case INT2OID:
            return {INT2OID, make_integer<Source, int16, INT2OID>};
        case INT4OID:
            return {INT4OID, make_integer<Source, int32, INT4OID>};
        case FLOAT8OID:
            return {FLOAT8OID, make_float8<Source>};
        case CHAROID:  // has a cast from integer, and before PostgreSQL 15 one from bigint's text
            return {INT4OID, make_integer<Source, int32, INT4OID>};
        default:
            return {INT8OID, make_integer<Source, int64, INT8OID>};
    }
}

template <typename Source>
NaturalType float_type(Oid target, NaturalType plain) noexcept {
    switch (target) {
        case BOOLOID:
            return {BOOLOID, make_bool<Source>};
        case FLOAT8OID:
            return {FLOAT8OID, make_float8<Source>};
        case NUMERICOID:
        case CASHOID:  // has no cast from the floats
            return {NUMERICOID, make_numeric_of_float<Source>};
        default:
            if (TypeCategory(target) == TYPCATEGORY_STRING)
                return {TEXTOID, make_text_of_float<Source>};
            return plain;
    }
}

/// Kinds with only one maker, for any target.
NaturalType only_type(Kind kind) noexcept {
    switch (kind) {
        case Kind::kDecimal:
            return {NUMERICOID, make_numeric};
        case Kind::kText:
            return {TEXTOID, make_text};
        case Kind::kUuid:
            return {UUIDOID, make_uuid};
        case Kind::kDate:
            return {DATEOID, make_date};
        case Kind::kTime:
            return {TIMEOID, make_time};
        case Kind::kTimeTz:
            return {TIMETZOID, make_timetz};
        case Kind::kTimestamp:
            return {TIMESTAMPOID, make_timestamp};
        case Kind::kTimestampTz:
            return {TIMESTAMPTZOID, make_timestamp};
        case Kind::kInterval:
            return {INTERVALOID, make_interval};
        case Kind::kMonthDayNano:
            return {INTERVALOID, make_interval_of_parts};
        default:
            return {};
    }
}

/// Whether the type has no kind of its own: its values are texts in Python.
bool is_printed(Oid type) noexcept {
    Kind kind;
    return !find_scalar_kind(type, kind) || kind == Kind::kText;
}

NaturalType bool_type(Oid target) noexcept {
    if (TypeCategory(target) == TYPCATEGORY_NUMERIC)
        return {INT4OID, make_integer<std::uint8_t, int32, INT4OID>};
    return {BOOLOID, make_bool<std::uint8_t>};
}

NaturalType json_type(Oid target) noexcept {
    if (target == JSONBOID) return {JSONBOID, make_jsonb};
    if (TypeCategory(target) == TYPCATEGORY_STRING) return {TEXTOID, make_text_of_json};
    return {JSONOID, make_json};
}

}  // namespace

int find_natural_types(Kind kind, Oid target, NaturalType (&found)[kMaxNaturalTypes]) noexcept {
    switch (kind) {
        case Kind::kInt16:  // some types, as "char", have a cast from integer but not from bigint
            found[0] = integer_type<std::int16_t>(target);
            found[1] = {INT4OID, make_integer<std::int16_t, int32, INT4OID>};
            return 2;
        case Kind::kInt32:
            found[0] = integer_type<std::int32_t>(target);
            found[1] = {INT4OID, make_integer<std::int32_t, int32, INT4OID>};
            return 2;
        case Kind::kInt64:
            found[0] = integer_type<std::int64_t>(target);
            found[1] = {INT4OID, make_integer<std::int64_t, int32, INT4OID>};
            return 2;
        case Kind::kJson:  // other types may have a text form
            found[0] = json_type(target);
            found[1] = {TEXTOID, make_text_of_json};
            return 2;
        case Kind::kBinary:
            found[0] = {BYTEAOID, make_bytea};
            found[1] = {TEXTOID, make_text_of_bytes};
            if (target == CHAROID) found[0] = found[1];
            return is_printed(target) ? 2 : 1;
        case Kind::kBool:
            found[0] = bool_type(target);
            return 1;
        case Kind::kFloat32:
            found[0] = float_type<float>(target, {FLOAT4OID, make_float4});
            found[1] = {INT8OID, make_bigint_of_float<float>};
            return TypeCategory(target) == TYPCATEGORY_NUMERIC ? 2 : 1;  // oid: from integers only
        case Kind::kFloat64:
            found[0] = float_type<double>(
                target, target == FLOAT4OID ? NaturalType{FLOAT4OID, make_float4_of_double}
                                            : NaturalType{FLOAT8OID, make_float8<double>});
            found[1] = {INT8OID, make_bigint_of_float<double>};
            return TypeCategory(target) == TYPCATEGORY_NUMERIC ? 2 : 1;
        default:
            found[0] = only_type(kind);
            return found[0].make == nullptr ? 0 : 1;
    }
}

}  // namespace epe::pg
