// The kinds of columns that PostgreSQL and Python exchange, and the memory layout of each.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace epe {

/// The kind of a column. "bytes" layouts have int64 offsets (length + 1) and a byte buffer; the
/// others have fixed-width values. The layout is Arrow's except for booleans, which take one byte
/// each (numpy's layout) and are packed on export.
enum class Kind : std::uint8_t {
    kNull,          ///< every row is NULL; no buffers
    kBool,          ///< uint8, 0 or 1
    kInt16,         ///< int16
    kInt32,         ///< int32
    kInt64,         ///< int64
    kFloat32,       ///< float
    kFloat64,       ///< double
    kDecimal,       ///< bytes: decimal text, as numeric prints it
    kText,          ///< bytes: UTF-8; or int32 codes into children[0], see Column
    kBinary,        ///< bytes
    kJson,          ///< bytes: JSON text in UTF-8
    kUuid,          ///< 16 bytes
    kDate,          ///< int32, days since 1970-01-01
    kTime,          ///< int64, microseconds since midnight
    kTimeTz,        ///< TimeWithZone
    kTimestamp,     ///< int64, microseconds since 1970-01-01
    kTimestampTz,   ///< int64, microseconds since 1970-01-01 UTC
    kInterval,      ///< int64, microseconds
    kList,          ///< int64 offsets into children[0], shapes when not one-dimensional
    kStruct,        ///< one child per field
    kMonthDayNano,  ///< MonthDayNano: an interval whose parts stay apart
};
inline constexpr Kind kLastKind = Kind::kMonthDayNano;

/// Distinguishes types that share a kind.
enum class Variant : std::uint8_t {
    kPlain,         ///< no variant
    kPrinted,       ///< kText of a type that is not a character string: the output function's text
    kVector,        ///< kList of kFloat32: pgvector's vector
    kHalfVector,    ///< the same, for its halfvec
    kSparseVector,  ///< the same, for its sparsevec
    kHstore,        ///< kJson: an hstore as an object
};

/// One value of kTimeTz.
struct TimeWithZone {
    std::int64_t microseconds;  ///< since local midnight
    std::int32_t seconds_east;  ///< of UTC
    std::int32_t padding;
};

/// One value of kMonthDayNano, in Arrow's layout.
struct MonthDayNano {
    std::int32_t months;
    std::int32_t days;
    std::int64_t nanoseconds;
};

struct Field;

/// A column's kind and, for lists and structs, the types inside.
struct ColumnType {
    Kind kind = Kind::kNull;
    std::vector<Field> fields;          ///< kList: the element; kStruct: one per field
    Variant variant = Variant::kPlain;  ///< only for columns of a schema; batches do not carry it

    ColumnType();
    ColumnType(Kind kind_of_values, std::vector<Field> inner);
    ColumnType(Kind kind_of_values);  // implicit: a kind alone is a type
};

/// A named column of a table, a query or a composite type.
struct Field {
    std::string name;
    ColumnType type;
    /// SQL name of the type, as format_type prints it; for messages and descriptions.
    std::string sql_type{};
    std::uint32_t type_oid = 0;
    std::int32_t type_modifier = -1;
};

// Defined here, where Field is complete.
inline ColumnType::ColumnType() = default;
inline ColumnType::ColumnType(Kind kind_of_values) : kind(kind_of_values) {}
inline ColumnType::ColumnType(Kind kind_of_values, std::vector<Field> inner)
    : kind(kind_of_values), fields(std::move(inner)) {}

using Schema = std::vector<Field>;

/// Bytes of one value of a fixed-width kind; 0 for the others.
std::size_t fixed_width(Kind kind) noexcept;
/// Integers, floats and decimals: what the default input type turns into a float64 matrix.
bool is_numeric(Kind kind) noexcept;
bool is_bytes(Kind kind) noexcept;
/// Dates, times and intervals: columns that may have unusual values, see Column.
bool can_be_unusual(Kind kind) noexcept;
bool is_vector(Variant variant) noexcept;
const char* kind_name(Kind kind) noexcept;

}  // namespace epe
