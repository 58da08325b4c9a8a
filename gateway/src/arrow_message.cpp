#include "arrow_message.h"

#include <flatbuffers/flatbuffers.h>

#include <bit>
#include <cstring>

namespace epe::gateway {
namespace {

static_assert(std::endian::native == std::endian::little, "buffers are written as they stand");

// Tables are written field by field, with the numbers that Arrow's Message.fbs and Schema.fbs give
// them: the classes that flatc makes from these files are in no package of Debian's.
using flatbuffers::FlatBufferBuilder;
using Offset = flatbuffers::Offset<void>;

constexpr flatbuffers::voffset_t field_at(int number) {
    return static_cast<flatbuffers::voffset_t>(4 + 2 * number);
}

enum Field : flatbuffers::voffset_t {
    kMessageVersion = field_at(0),
    kMessageHeaderType = field_at(1),
    kMessageHeader = field_at(2),
    kMessageBodyLength = field_at(3),
    kSchemaFields = field_at(1),
    kFieldName = field_at(0),
    kFieldNullable = field_at(1),
    kFieldTypeType = field_at(2),
    kFieldType = field_at(3),
    kFieldChildren = field_at(5),
    kIntBitWidth = field_at(0),
    kIntIsSigned = field_at(1),
    kFloatPrecision = field_at(0),
    kDecimalPrecision = field_at(0),
    kDecimalScale = field_at(1),
    kDateUnit = field_at(0),
    kTimestampUnit = field_at(0),
    kTimestampZone = field_at(1),
    kBatchLength = field_at(0),
    kBatchNodes = field_at(1),
    kBatchBuffers = field_at(2),
};

enum class Header : std::uint8_t { kSchema = 1, kRecordBatch = 3 };

enum class Type : std::uint8_t {
    kInt = 2,
    kFloatingPoint = 3,
    kBinary = 4,
    kUtf8 = 5,
    kBool = 6,
    kDecimal = 7,
    kDate = 8,
    kTimestamp = 10,
};

constexpr std::int16_t kVersion5 = 4;
constexpr std::int16_t kSingle = 1;
constexpr std::int16_t kDouble = 2;
constexpr std::int16_t kDay = 0;
constexpr std::int16_t kMillisecond = 1;  // the default of Date
constexpr std::int16_t kMicrosecond = 2;
constexpr std::uint32_t kContinuation = 0xFFFFFFFF;
constexpr std::size_t kAlignment = 8;

// FieldNode and Buffer are structs of two int64 each.
static_assert(sizeof(ArrowNode) == 16 && sizeof(ArrowBuffer) == 16);

struct TypeOffset {
    Type type;
    Offset table;
};

template <typename... Fields>
Offset write_table(FlatBufferBuilder& builder, Fields... add_field) {
    const flatbuffers::uoffset_t start = builder.StartTable();
    (add_field(), ...);
    return {builder.EndTable(start)};
}

Offset write_int(FlatBufferBuilder& builder, std::int32_t bits) {
    return write_table(
        builder, [&] { builder.AddElement<std::int32_t>(kIntBitWidth, bits, 0); },
        [&] { builder.AddElement<std::uint8_t>(kIntIsSigned, 1, 0); });
}

Offset write_float(FlatBufferBuilder& builder, std::int16_t precision) {
    return write_table(builder,
                       [&] { builder.AddElement<std::int16_t>(kFloatPrecision, precision, 0); });
}

Offset write_decimal(FlatBufferBuilder& builder, const TableColumn& column) {
    return write_table(
        builder, [&] { builder.AddElement<std::int32_t>(kDecimalPrecision, column.precision, 0); },
        [&] { builder.AddElement<std::int32_t>(kDecimalScale, column.scale, 0); });
}

Offset write_timestamp(FlatBufferBuilder& builder, bool is_utc) {
    const Offset zone{is_utc ? builder.CreateString("UTC").o : 0};
    return write_table(
        builder, [&] { builder.AddElement<std::int16_t>(kTimestampUnit, kMicrosecond, 0); },
        [&] { builder.AddOffset(kTimestampZone, zone); });
}

TypeOffset write_type(FlatBufferBuilder& builder, const TableColumn& column) {
    constexpr std::int32_t kShort = 16;
    constexpr std::int32_t kInteger = 32;
    constexpr std::int32_t kLong = 64;
    switch (column.kind) {
        case ColumnKind::kBool:
            return {Type::kBool, write_table(builder)};
        case ColumnKind::kInt16:
            return {Type::kInt, write_int(builder, kShort)};
        case ColumnKind::kInt32:
            return {Type::kInt, write_int(builder, kInteger)};
        case ColumnKind::kInt64:
            return {Type::kInt, write_int(builder, kLong)};
        case ColumnKind::kFloat32:
            return {Type::kFloatingPoint, write_float(builder, kSingle)};
        case ColumnKind::kFloat64:
            return {Type::kFloatingPoint, write_float(builder, kDouble)};
        case ColumnKind::kDecimal:
            return {Type::kDecimal, write_decimal(builder, column)};
        case ColumnKind::kDate:
            return {Type::kDate, write_table(builder, [&] {
                        builder.AddElement<std::int16_t>(kDateUnit, kDay, kMillisecond);
                    })};
        case ColumnKind::kTimestamp:
        case ColumnKind::kTimestampUtc:
            return {Type::kTimestamp,
                    write_timestamp(builder, column.kind == ColumnKind::kTimestampUtc)};
        case ColumnKind::kBinary:
            return {Type::kBinary, write_table(builder)};
        case ColumnKind::kUtf8:
            break;
    }
    return {Type::kUtf8, write_table(builder)};
}

Offset write_field(FlatBufferBuilder& builder, const TableColumn& column) {
    const Offset name{builder.CreateString(column.name).o};
    const TypeOffset type = write_type(builder, column);
    const Offset children{builder.CreateVector(std::vector<Offset>{}).o};
    return write_table(
        builder, [&] { builder.AddOffset(kFieldName, name); },
        [&] { builder.AddElement<std::uint8_t>(kFieldNullable, 1, 0); },
        [&] {
            builder.AddElement<std::uint8_t>(kFieldTypeType, static_cast<std::uint8_t>(type.type),
                                             0);
        },
        [&] { builder.AddOffset(kFieldType, type.table); },
        [&] { builder.AddOffset(kFieldChildren, children); });
}

/// Closes the flatbuffer and puts it into its frame.
std::string frame(FlatBufferBuilder& builder, Header type, Offset header,
                  std::int64_t body_length) {
    builder.Finish(write_table(
        builder, [&] { builder.AddElement<std::int64_t>(kMessageBodyLength, body_length, 0); },
        [&] { builder.AddOffset(kMessageHeader, header); },
        [&] { builder.AddElement<std::int16_t>(kMessageVersion, kVersion5, 0); },
        [&] {
            builder.AddElement<std::uint8_t>(kMessageHeaderType, static_cast<std::uint8_t>(type),
                                             0);
        }));
    const std::size_t size = (builder.GetSize() + kAlignment - 1) / kAlignment * kAlignment;
    const std::uint32_t prefix[2] = {kContinuation, static_cast<std::uint32_t>(size)};
    std::string message(sizeof prefix + size, '\0');
    std::memcpy(message.data(), prefix, sizeof prefix);
    std::memcpy(message.data() + sizeof prefix, builder.GetBufferPointer(), builder.GetSize());
    return message;
}

}  // namespace

std::string arrow_schema_message(const std::vector<TableColumn>& columns) {
    FlatBufferBuilder builder;
    std::vector<Offset> fields;
    fields.reserve(columns.size());
    for (const TableColumn& column : columns) fields.push_back(write_field(builder, column));
    const Offset vector{builder.CreateVector(fields).o};
    const Offset schema = write_table(builder, [&] { builder.AddOffset(kSchemaFields, vector); });
    return frame(builder, Header::kSchema, schema, 0);
}

std::string arrow_batch_message(std::int64_t rows, const std::vector<ArrowNode>& nodes,
                                const std::vector<ArrowBuffer>& buffers, std::int64_t body_length) {
    FlatBufferBuilder builder;
    const Offset buffer_vector{builder.CreateVectorOfStructs(buffers.data(), buffers.size()).o};
    const Offset node_vector{builder.CreateVectorOfStructs(nodes.data(), nodes.size()).o};
    const Offset batch = write_table(
        builder, [&] { builder.AddElement<std::int64_t>(kBatchLength, rows, 0); },
        [&] { builder.AddOffset(kBatchNodes, node_vector); },
        [&] { builder.AddOffset(kBatchBuffers, buffer_vector); });
    return frame(builder, Header::kRecordBatch, batch, body_length);
}

std::string arrow_end_mark() {
    const std::uint32_t mark[2] = {kContinuation, 0};
    return {reinterpret_cast<const char*>(mark), sizeof mark};
}

}  // namespace epe::gateway
