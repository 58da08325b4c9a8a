// Reads datums of query results into column builders.
#include "pg/input/datum_reader_internal.h"

#include <cmath>
#include <limits>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/input/numeric_to_double_internal.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
}

namespace epe::pg {

namespace {

constexpr TextStyle kReadableStyle{USE_ISO_DATES, INTSTYLE_POSTGRES, 3};

bool append_printed(DatumReader& reader, Datum value, ColumnBuilder& builder,
                    bool is_unusual) noexcept {
    const TextStyle session = text_style();
    set_text_style(kReadableStyle);
    const char* printed = OutputFunctionCall(&reader.output, value);
    set_text_style(session);
    std::size_t size = std::strlen(printed);
    printed = to_utf8(printed, &size);
    return is_unusual ? builder.append_unusual(printed, size) : builder.append_bytes(printed, size);
}

bool append_text_form(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    return append_printed(reader, value, builder, false);
}

bool append_unusual_form(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    return append_printed(reader, value, builder, true);
}

bool append_oid(DatumReader&, Datum value, ColumnBuilder& builder) noexcept {
    return builder.append(static_cast<std::int64_t>(DatumGetObjectId(value)));
}

bool append_numeric(DatumReader&, Datum value, ColumnBuilder& builder) noexcept {
    return builder.append(numeric_to_double(value));
}

bool append_text(DatumReader&, Datum value, ColumnBuilder& builder) noexcept {
    const struct varlena* text = PG_DETOAST_DATUM_PACKED(value);
    std::size_t size = VARSIZE_ANY_EXHDR(text);
    const char* data = to_utf8(VARDATA_ANY(text), &size);
    return builder.append_bytes(data, size);
}

bool append_name(DatumReader&, Datum value, ColumnBuilder& builder) noexcept {
    std::size_t size = std::strlen(NameStr(*DatumGetName(value)));
    const char* data = to_utf8(NameStr(*DatumGetName(value)), &size);
    return builder.append_bytes(data, size);
}

bool append_binary(DatumReader&, Datum value, ColumnBuilder& builder) noexcept {
    const struct varlena* bytes = PG_DETOAST_DATUM_PACKED(value);
    return builder.append_bytes(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

bool append_uuid(DatumReader&, Datum value, ColumnBuilder& builder) noexcept {
    return builder.append_uuid(DatumGetUUIDP(value)->data);
}

bool append_date(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    std::int32_t days = 0;
    return plain_date(value, days) ? builder.append(days)
                                   : append_unusual_form(reader, value, builder);
}

bool append_time(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    std::int64_t microseconds = 0;
    return plain_time(value, microseconds) ? builder.append(microseconds)
                                           : append_unusual_form(reader, value, builder);
}

bool append_time_with_zone(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    const TimeTzADT* time = DatumGetTimeTzADTP(value);
    if (time->time >= USECS_PER_DAY) return append_unusual_form(reader, value, builder);
    return builder.append(TimeWithZone{time->time, -time->zone, 0});
}

bool append_timestamp(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    std::int64_t microseconds = 0;
    return plain_timestamp(value, microseconds) ? builder.append(microseconds)
                                                : append_unusual_form(reader, value, builder);
}

bool append_interval(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    const Interval* interval = DatumGetIntervalP(value);
    std::int64_t total = 0;
    // A month has no fixed length; infinities of PostgreSQL 17 have months, too.
    if (interval->month != 0 || pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &total) ||
        pg_add_s64_overflow(total, interval->time, &total) || total == PG_INT64_MIN)
        return append_unusual_form(reader, value, builder);
    return builder.append(total);
}

bool append_month_day_nano(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    constexpr std::int64_t kNanoseconds = 1000;
    const Interval* interval = DatumGetIntervalP(value);
    MonthDayNano parts{interval->month, interval->day, 0};
    // The time of day has no limit of a day in PostgreSQL: its nanoseconds may overflow, and those
    // of infinities do.
    if (pg_mul_s64_overflow(interval->time, kNanoseconds, &parts.nanoseconds))
        return append_unusual_form(reader, value, builder);
    return builder.append(parts);
}

bool append_array(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    ArrayType* array = DatumGetArrayTypeP(value);
    DatumReader& element = reader.children[0];
    Datum* elements = nullptr;
    bool* nulls = nullptr;
    int count = 0;
    deconstruct_array(array, ARR_ELEMTYPE(array), reader.element_length, reader.element_by_value,
                      reader.element_alignment, &elements, &nulls, &count);
    for (int i = 0; i < count; ++i) element.append_value(elements[i], nulls[i], builder.child(0));
    return builder.append_list(ARR_NDIM(array), ARR_DIMS(array));
}

bool append_vector(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    const ArrayType* array = DatumGetArrayTypeP(apply_reading_casts(reader.casts, value));
    const int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    const auto* elements = reinterpret_cast<const float*>(ARR_DATA_PTR(array));
    for (int i = 0; i < count; ++i)
        if (!builder.child(0).append(elements[i])) return false;
    return builder.append_list(ARR_NDIM(array), ARR_DIMS(array));
}

bool append_hstore(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    return append_text(reader, apply_reading_casts(reader.casts, value), builder);
}

/// Another session may alter a composite type while its values are being read.
[[noreturn]] void raise_type_changed(Oid type) noexcept {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("type %s changed while it was being read", format_type_be(type))));
}

bool append_composite(DatumReader& reader, Datum value, ColumnBuilder& builder) noexcept {
    HeapTupleHeader header = DatumGetHeapTupleHeader(value);
    TupleDesc descriptor =
        lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    const auto natts = static_cast<std::size_t>(descriptor->natts);
    auto* values = static_cast<Datum*>(palloc(natts * sizeof(Datum)));
    auto* nulls = static_cast<bool*>(palloc(natts * sizeof(bool)));
    heap_deform_tuple(&tuple, descriptor, values, nulls);
    std::size_t field = 0;
    for (std::size_t i = 0; i < natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
        if (attribute->attisdropped) continue;
        if (field == reader.children.size() ||
            reader.children[field].declared_type != attribute->atttypid)
            raise_type_changed(reader.type);
        reader.children[field].append_value(values[i], nulls[i], builder.child(field));
        ++field;
    }
    ReleaseTupleDesc(descriptor);
    if (field != reader.children.size()) raise_type_changed(reader.type);
    return builder.append_struct();
}

double double_of_int16(Datum value) noexcept { return DatumGetInt16(value); }
double double_of_int32(Datum value) noexcept { return DatumGetInt32(value); }
double double_of_int64(Datum value) noexcept { return static_cast<double>(DatumGetInt64(value)); }
double double_of_oid(Datum value) noexcept { return DatumGetObjectId(value); }
double double_of_float32(Datum value) noexcept { return DatumGetFloat4(value); }
double double_of_float64(Datum value) noexcept { return DatumGetFloat8(value); }

bool is_float32_nan(Datum value) noexcept { return std::isnan(DatumGetFloat4(value)); }
bool is_float64_nan(Datum value) noexcept { return std::isnan(DatumGetFloat8(value)); }
bool is_numeric_nan(Datum value) noexcept { return numeric_is_nan(DatumGetNumeric(value)); }

bool (*nan_test(Oid type) noexcept)(Datum) noexcept {
    if (type == FLOAT4OID) return is_float32_nan;
    if (type == FLOAT8OID) return is_float64_nan;
    return type == NUMERICOID ? is_numeric_nan : nullptr;
}

/// How the bytes kinds are read: as stored, or by the output function.
DatumReader::Append bytes_reader(Oid type) noexcept {
    switch (type) {
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
        case JSONOID:
            return append_text;
        case NAMEOID:
            return append_name;
        case BYTEAOID:
            return append_binary;
        default:
            return append_text_form;
    }
}

void choose_functions(DatumReader& reader, Kind kind) noexcept {
    switch (kind) {
        case Kind::kBool:
            reader.copied_width = 1;
            return;
        case Kind::kInt16:
            reader.copied_width = 2;
            reader.to_double = double_of_int16;
            return;
        case Kind::kInt32:
            reader.copied_width = 4;
            reader.to_double = double_of_int32;
            return;
        case Kind::kInt64:
            if (reader.type == OIDOID) {
                reader.append = append_oid;
                reader.to_double = double_of_oid;
            } else {
                reader.copied_width = 8;
                reader.to_double = double_of_int64;
            }
            return;
        case Kind::kFloat32:
            reader.copied_width = 4;
            reader.to_double = double_of_float32;
            return;
        case Kind::kFloat64:
            if (reader.type == NUMERICOID) {
                reader.append = append_numeric;
                reader.to_double = numeric_to_double;
            } else {
                reader.copied_width = 8;
                reader.to_double = double_of_float64;
            }
            return;
        case Kind::kUuid:
            reader.append = append_uuid;
            return;
        case Kind::kDate:
            reader.append = append_date;
            return;
        case Kind::kTime:
            reader.append = append_time;
            return;
        case Kind::kTimeTz:
            reader.append = append_time_with_zone;
            return;
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
            reader.append = append_timestamp;
            return;
        case Kind::kInterval:
            reader.append = append_interval;
            return;
        case Kind::kMonthDayNano:
            reader.append = append_month_day_nano;
            return;
        case Kind::kList:
            reader.append = append_array;
            return;
        case Kind::kStruct:
            reader.append = append_composite;
            return;
        default:
            reader.append = bytes_reader(reader.type);
            return;
    }
}

}  // namespace

TextStyle text_style() noexcept { return {DateStyle, IntervalStyle, extra_float_digits}; }

void set_text_style(const TextStyle& style) noexcept {
    DateStyle = style.dates;
    IntervalStyle = style.intervals;
    extra_float_digits = style.float_digits;
}

std::size_t DatumReader::append_plain_values(const ColumnValues& column, std::size_t count,
                                             ColumnBuilder& builder) const noexcept {
    if (append_plain == nullptr) return 0;
    std::size_t done = 0;
    while (done < count) {
        std::size_t end = done;
        if (column.is_null(done)) {
            if (!builder.append_null()) raise_out_of_memory();
            ++done;
            continue;
        }
        if (column.nulls == nullptr) end = count;
        while (end < count && !column.nulls[end]) ++end;
        const auto wanted = static_cast<std::int64_t>(end - done);
        const std::int64_t appended = append_plain(column.values + done, wanted, builder);
        if (appended < 0) raise_out_of_memory();
        done += static_cast<std::size_t>(appended);
        if (appended < wanted) break;
    }
    return done;
}

void DatumReader::convert_to_doubles(const ColumnValues& column, std::size_t count, double* to,
                                     std::size_t stride) const noexcept {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const auto convert_all = [&](auto convert) noexcept {
        for (std::size_t i = 0; i < count; ++i)
            to[i * stride] = column.is_null(i) ? kNan : convert(column.values[i]);
    };
    if (to_double == double_of_float64)
        convert_all([](Datum value) { return DatumGetFloat8(value); });
    else if (to_double == double_of_int32)
        convert_all([](Datum value) { return static_cast<double>(DatumGetInt32(value)); });
    else
        convert_all(to_double);
}

void DatumReader::raise_out_of_memory() noexcept {
    ereport(ERROR,
            (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
             errdetail("The rows of the input do not fit into memory as columns."),
             errhint("Use \"oml_input_type\":\"iterator\" or pyq_row_eval to work on parts.")));
}

DatumReader make_datum_reader(const Field& field) {
    DatumReader reader;
    const Oid given = field.type_oid;
    const Kind kind = field.type.kind;
    const Variant variant = field.type.variant;
    const bool is_cast = is_vector(variant) || variant == Variant::kHstore;
    guarded([&reader, given, kind, variant, is_cast]() noexcept {
        reader.declared_type = given;
        reader.type = getBaseType(given);
        Oid function = InvalidOid;
        bool is_varlena = false;
        getTypeOutputInfo(reader.type, &function, &is_varlena);
        fmgr_info(function, &reader.output);
        if (is_cast)
            find_reading_casts(reader.type, variant, &reader.casts);
        else if (kind == Kind::kList)
            get_typlenbyvalalign(get_element_type(reader.type), &reader.element_length,
                                 &reader.element_by_value, &reader.element_alignment);
    });
    choose_functions(reader, kind);
    reader.append_plain = plain_appender(kind, reader.type);
    if (is_cast) reader.append = kind == Kind::kList ? append_vector : append_hstore;
    // Fixed-width kinds print only unusual values; the row context is reset whenever it was used.
    reader.uses_memory = fixed_width(kind) == 0 || reader.type == NUMERICOID ||
                         kind == Kind::kDate || kind == Kind::kTime || kind == Kind::kTimeTz ||
                         kind == Kind::kTimestamp || kind == Kind::kTimestampTz ||
                         kind == Kind::kInterval || kind == Kind::kMonthDayNano;
    reader.is_nan = nan_test(reader.type);
    for (const Field& child : field.type.fields)
        reader.children.push_back(make_datum_reader(child));
    return reader;
}

}  // namespace epe::pg
