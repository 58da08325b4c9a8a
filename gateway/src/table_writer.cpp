#include "table_writer.h"

#include <utility>

#include "arrow_stream.h"
#include "csv.h"

namespace epe::gateway {
namespace {

// OIDs of PostgreSQL's built-in types, which never change.
enum TypeOid : unsigned {
    kBoolOid = 16,
    kByteaOid = 17,
    kInt8Oid = 20,
    kInt2Oid = 21,
    kInt4Oid = 23,
    kFloat4Oid = 700,
    kFloat8Oid = 701,
    kDateOid = 1082,
    kTimestampOid = 1114,
    kTimestamptzOid = 1184,
    kNumericOid = 1700,
};

ColumnKind kind_of(unsigned type) {
    switch (type) {
        case kBoolOid:
            return ColumnKind::kBool;
        case kByteaOid:
            return ColumnKind::kBinary;
        case kInt8Oid:
            return ColumnKind::kInt64;
        case kInt2Oid:
            return ColumnKind::kInt16;
        case kInt4Oid:
            return ColumnKind::kInt32;
        case kFloat4Oid:
            return ColumnKind::kFloat32;
        case kFloat8Oid:
            return ColumnKind::kFloat64;
        case kDateOid:
            return ColumnKind::kDate;
        case kTimestampOid:
            return ColumnKind::kTimestamp;
        case kTimestamptzOid:
            return ColumnKind::kTimestampUtc;
        default:
            return ColumnKind::kUtf8;
    }
}

/// numeric(p,s) that fits 128 bits; every other numeric stays text, which is exact.
void read_numeric(int modifier, TableColumn& column) {
    constexpr int kHeader = 4;  // included in a typmod
    constexpr int kMostDigits = 38;
    if (modifier < kHeader) return;
    const int precision = ((modifier - kHeader) >> 16) & 0xFFFF;
    const int scale = (modifier - kHeader) & 0x7FF;  // values from 1024 are negative scales
    if (precision > kMostDigits || scale > precision) return;
    column.kind = ColumnKind::kDecimal;
    column.precision = precision;
    column.scale = scale;
}

}  // namespace

std::vector<TableColumn> columns_of(const QueryResult& result) {
    std::vector<TableColumn> columns;
    for (int i = 0; i < result.columns(); ++i) {
        TableColumn column{result.column_name(i), kind_of(result.column_type(i))};
        if (result.column_type(i) == kNumericOid) read_numeric(result.column_modifier(i), column);
        columns.push_back(std::move(column));
    }
    return columns;
}

std::unique_ptr<TableWriter> make_table_writer(MediaType type, std::vector<TableColumn> columns) {
    if (type == MediaType::kCsv) return std::make_unique<CsvWriter>(std::move(columns));
    return std::make_unique<ArrowStreamWriter>(std::move(columns));
}

}  // namespace epe::gateway
