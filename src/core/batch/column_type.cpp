#include "core/batch/column_type.h"

namespace epe {

std::size_t fixed_width(Kind kind) noexcept {
    switch (kind) {
        case Kind::kBool:
            return 1;
        case Kind::kInt16:
            return 2;
        case Kind::kInt32:
        case Kind::kFloat32:
        case Kind::kDate:
            return 4;
        case Kind::kInt64:
        case Kind::kFloat64:
        case Kind::kTime:
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
        case Kind::kInterval:
            return 8;
        case Kind::kUuid:
        case Kind::kTimeTz:
        case Kind::kMonthDayNano:
            return 16;
        default:
            return 0;
    }
}

bool is_numeric(Kind kind) noexcept {
    switch (kind) {
        case Kind::kInt16:
        case Kind::kInt32:
        case Kind::kInt64:
        case Kind::kFloat32:
        case Kind::kFloat64:
        case Kind::kDecimal:
            return true;
        default:
            return false;
    }
}

bool is_bytes(Kind kind) noexcept {
    return kind == Kind::kDecimal || kind == Kind::kText || kind == Kind::kBinary ||
           kind == Kind::kJson;
}

bool can_be_unusual(Kind kind) noexcept {
    return (kind >= Kind::kDate && kind <= Kind::kInterval) || kind == Kind::kMonthDayNano;
}

bool is_vector(Variant variant) noexcept {
    return variant == Variant::kVector || variant == Variant::kHalfVector ||
           variant == Variant::kSparseVector;
}

const char* kind_name(Kind kind) noexcept {
    switch (kind) {
        case Kind::kNull:
            return "null";
        case Kind::kBool:
            return "bool";
        case Kind::kInt16:
            return "int16";
        case Kind::kInt32:
            return "int32";
        case Kind::kInt64:
            return "int64";
        case Kind::kFloat32:
            return "float32";
        case Kind::kFloat64:
            return "float64";
        case Kind::kDecimal:
            return "decimal";
        case Kind::kText:
            return "text";
        case Kind::kBinary:
            return "binary";
        case Kind::kJson:
            return "json";
        case Kind::kUuid:
            return "uuid";
        case Kind::kDate:
            return "date";
        case Kind::kTime:
            return "time";
        case Kind::kTimeTz:
            return "timetz";
        case Kind::kTimestamp:
            return "timestamp";
        case Kind::kTimestampTz:
            return "timestamptz";
        case Kind::kInterval:
            return "interval";
        case Kind::kList:
            return "list";
        case Kind::kStruct:
            return "struct";
        case Kind::kMonthDayNano:
            return "month_day_nano";
    }
    return "unknown";
}

}  // namespace epe
