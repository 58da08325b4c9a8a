// Values that become elements of a column without memory and without an error.
#include "pg/input/plain_values_internal.h"

#include "pg/input/numeric_to_double_internal.h"

extern "C" {
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/uuid.h"
}

#if PG_VERSION_NUM >= 160000
extern "C" {
#include "varatt.h"
}
#endif

namespace epe::pg {

namespace {

template <typename T>
bool copy(Datum value, T& to) noexcept {
    to = static_cast<T>(value);
    return true;
}

bool oid(Datum value, std::int64_t& to) noexcept {
    to = DatumGetObjectId(value);
    return true;
}

template <typename T, bool (*convert)(Datum, T&) noexcept>
std::int64_t append_fixed(const Datum* values, std::int64_t count,
                          ColumnBuilder& builder) noexcept {
    return builder.append_while<T>(
        count, [values](std::int64_t i, T& to) noexcept { return convert(values[i], to); });
}

std::int64_t append_bytes(const Datum* values, std::int64_t count,
                          ColumnBuilder& builder) noexcept {
    std::int64_t done = 0;
    for (; done < count; ++done) {
        const auto* value = reinterpret_cast<const struct varlena*>(DatumGetPointer(values[done]));
        if (VARATT_IS_COMPRESSED(value) || VARATT_IS_EXTERNAL(value)) break;
        if (!builder.append_bytes(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value))) return -1;
    }
    return done;
}

std::int64_t append_uuids(const Datum* values, std::int64_t count,
                          ColumnBuilder& builder) noexcept {
    for (std::int64_t i = 0; i < count; ++i)
        if (!builder.append_uuid(DatumGetUUIDP(values[i])->data)) return -1;
    return count;
}

PlainAppender text_appender(Oid type) noexcept {
    const bool is_text =
        type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == JSONOID;
    return is_text && GetDatabaseEncoding() == PG_UTF8 ? append_bytes : nullptr;
}

}  // namespace

PlainAppender plain_appender(Kind kind, Oid type) noexcept {
    switch (kind) {
        case Kind::kBool:
            return append_fixed<std::uint8_t, copy>;
        case Kind::kInt16:
            return append_fixed<std::uint16_t, copy>;
        case Kind::kInt32:
        case Kind::kFloat32:
            return append_fixed<std::uint32_t, copy>;
        case Kind::kInt64:
            return type == OIDOID ? append_fixed<std::int64_t, oid>
                                  : append_fixed<std::int64_t, copy>;
        case Kind::kFloat64:
            return type == NUMERICOID ? append_fixed<double, plain_numeric>
                                      : append_fixed<std::uint64_t, copy>;
        case Kind::kDate:
            return append_fixed<std::int32_t, plain_date>;
        case Kind::kTime:
            return append_fixed<std::int64_t, plain_time>;
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
            return append_fixed<std::int64_t, plain_timestamp>;
        case Kind::kUuid:
            return append_uuids;
        case Kind::kText:
        case Kind::kJson:
            return text_appender(type);
        case Kind::kBinary:
            return type == BYTEAOID ? append_bytes : nullptr;
        default:
            return nullptr;
    }
}

}  // namespace epe::pg
