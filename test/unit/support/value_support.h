// Columns of every kind with values made by hand, and how to compare them, for unit tests.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "batch_support.h"

namespace epe::test {

inline constexpr Kind kAllKinds[] = {
    Kind::kNull,        Kind::kBool,        Kind::kInt16,    Kind::kInt32, Kind::kInt64,
    Kind::kFloat32,     Kind::kFloat64,     Kind::kDecimal,  Kind::kText,  Kind::kBinary,
    Kind::kJson,        Kind::kUuid,        Kind::kDate,     Kind::kTime,  Kind::kTimeTz,
    Kind::kTimestamp,   Kind::kTimestampTz, Kind::kInterval, Kind::kList,  Kind::kStruct,
    Kind::kMonthDayNano};

inline ColumnType type_of(Kind kind) {
    ColumnType type{kind};
    if (kind == Kind::kList) type.fields = {field("element", Kind::kInt32)};
    if (kind == Kind::kStruct) type.fields = {field("a", Kind::kInt64), field("b", Kind::kText)};
    return type;
}

/// Appends a value that depends on `seed`.
inline bool append_value(ColumnBuilder& builder, std::int32_t seed) {
    const std::string text = std::to_string(seed);
    switch (builder.kind()) {
        case Kind::kNull:
            return builder.append_null();
        case Kind::kBool:
            return builder.append(static_cast<std::uint8_t>(seed & 1));
        case Kind::kInt16:
            return builder.append(static_cast<std::int16_t>(seed));
        case Kind::kInt32:
        case Kind::kDate:
            return builder.append(seed);
        case Kind::kFloat32:
            return builder.append(static_cast<float>(seed));
        case Kind::kFloat64:
            return builder.append(static_cast<double>(seed));
        case Kind::kDecimal:
        case Kind::kText:
        case Kind::kBinary:
        case Kind::kJson:
            return append_text(builder, text);
        case Kind::kUuid: {
            std::array<std::uint8_t, 16> bytes{};
            bytes[15] = static_cast<std::uint8_t>(seed);
            return builder.append_uuid(bytes.data());
        }
        case Kind::kTimeTz:
            return builder.append(TimeWithZone{seed, 3600, 0});
        case Kind::kMonthDayNano:
            return builder.append(MonthDayNano{seed, -seed, std::int64_t{seed} * 1000});
        case Kind::kList: {
            const std::int32_t sizes[] = {2};
            return builder.child(0).append(seed) && builder.child(0).append_null() &&
                   builder.append_list(1, sizes);
        }
        case Kind::kStruct:
            return builder.child(0).append(std::int64_t{seed}) &&
                   append_text(builder.child(1), text) && builder.append_struct();
        default:
            return builder.append(std::int64_t{seed});
    }
}

/// Shows one row, whatever its kind, so that rows can be compared.
inline std::string shown(const Column& column, std::int64_t row) {
    if (column.is_null(row)) return "NULL";
    const auto* unusual = column.unusual_rows.as<std::int64_t>();
    for (std::int64_t i = 0; i < column.unusual_count(); ++i)
        if (unusual[i] == row) return "!" + *text_at(*column.unusual, i);
    if (is_bytes(column.type.kind)) return *text_at(column, row);
    std::string text;
    if (column.type.kind == Kind::kStruct) {
        for (const Column& child : column.children) text += shown(child, row) + ";";
        return "(" + text + ")";
    }
    if (column.type.kind == Kind::kList) {
        const auto* ends = column.offsets.as<std::int64_t>();
        for (std::int64_t at = ends[row]; at < ends[row + 1]; ++at)
            text += shown(column.children[0], at) + ";";
        if (!column.shapes.empty()) {
            const ListShape& shape = column.shapes.as<ListShape>()[row];
            for (int i = 0; i < shape.dimensions && shape.dimensions > 1; ++i)
                text += "x" + std::to_string(shape.sizes[i]);
        }
        return "{" + text + "}";
    }
    const std::size_t width = fixed_width(column.type.kind);
    const auto* bytes = column.values.as<unsigned char>() + static_cast<std::size_t>(row) * width;
    for (std::size_t i = 0; i < width; ++i) text += std::to_string(bytes[i]) + ".";
    return text;
}

inline void expect_same_rows(const Column& left, std::int64_t first, const Column& right) {
    for (std::int64_t row = 0; row < right.length; ++row)
        EXPECT_EQ(shown(left, first + row), shown(right, row)) << "row " << row;
}

}  // namespace epe::test
