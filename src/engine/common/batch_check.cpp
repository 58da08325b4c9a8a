// Validates a batch that an engine sent.
#include "engine/common/batch_check.h"

#include <cstdint>
#include <string_view>

#include "core/arrow/layout_check.h"
#include "core/utf8.h"
#include "engine/common/batch_codec.h"
#include "engine/common/wire.h"

namespace epe::engine {

namespace {

void require(bool is_kept, const char* what) {
    if (!is_kept) WireReader::fail(what);
}

/// At least `count` values of `width` bytes.
void require_room(const Buffer& buffer, std::int64_t count, std::size_t width) {
    require(has_room(buffer, count, width), "size of a buffer");
}

void check_validity(const Column& column) {
    if (column.type.kind == Kind::kNull) {
        require(column.null_count == column.length && column.validity.empty(), "NULL count");
        return;
    }
    if (column.null_count == 0) {
        require(column.validity.empty(), "NULL count");
        return;
    }
    require_room(column.validity, (column.length + 7) / 8, 1);
    const std::int64_t values = count_set_bits(column.validity, 0, column.length);
    require(column.null_count == column.length - values, "NULL count");
}

/// Offsets from 0 to `size`, never decreasing.
void check_offsets(const Column& column, std::int64_t size) {
    require_room(column.offsets, column.length + 1, sizeof(std::int64_t));
    const auto* const ends = column.offsets.as<std::int64_t>();
    require(are_offsets(ends, column.length, 0, size) && ends[0] == 0 &&
                ends[column.length] == size,
            "offset");
}

void check_name(const std::string& name) { require(is_clean_utf8(name), "UTF-8 in a name"); }

/// The bytes are valid UTF-8, and no value begins within a character.
void check_texts(const Column& column) {
    const std::string_view bytes(column.values.as<char>(), column.values.size());
    const bool is_clean =
        is_clean_utf8(bytes) &&
        are_character_starts(bytes.data(), static_cast<std::int64_t>(bytes.size()),
                             column.offsets.as<std::int64_t>(), column.length);
    require(is_clean, "UTF-8 in a text");
}

void check_bytes(const Column& column) {
    check_offsets(column, static_cast<std::int64_t>(column.values.size()));
    if (column.type.kind != Kind::kBinary) check_texts(column);
}

/// The position of a column in the batch.
struct Level {
    int depth = 1;
    bool is_in_list = false;

    Level below() const noexcept { return {depth + 1, is_in_list}; }
};

void check_column(Column& column, std::int64_t length, Level level);

/// A tuple has a copy of each text of its lists: a long text with many codes, few bytes here, would
/// take all the memory there. PostgreSQL's values are limited to 1 GB anyway.
void check_expansion(const Column& column) {
    constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;
    const auto* const codes = column.values.as<std::int32_t>();
    std::int64_t bytes = 0;
    for (std::int64_t row = 0; row < column.length; ++row) {
        if (codes[row] >= 0) bytes += column.children.front().bytes_length(codes[row]);
        require(bytes <= kMostBytes, "dictionary: its texts are too many");
    }
}

void check_dictionary(Column& column, Level level) {
    require(column.type.kind == Kind::kText && column.children.size() == 1, "dictionary");
    Column& texts = column.children.front();
    require(texts.type.kind == Kind::kText && !texts.has_dictionary && texts.null_count == 0,
            "dictionary");
    check_column(texts, texts.length, level.below());
    require_room(column.values, column.length, sizeof(std::int32_t));
    const auto* const codes = column.values.as<std::int32_t>();
    bool is_in_range = are_codes(codes, column.length, -1, texts.length);
    for (std::int64_t row = 0; row < column.length && is_in_range; ++row)
        is_in_range = codes[row] >= 0 || column.is_null(row);
    require(is_in_range, "code of a text");
    if (level.is_in_list) check_expansion(column);
}

/// Whether the product of the dimensions is `count`; an empty list has none.
bool is_shape_of(const ListShape& shape, std::int64_t count) noexcept {
    if (shape.dimensions == 0) return count == 0;
    if (shape.dimensions < 0 || shape.dimensions > kMaxDimensions) return false;
    std::int64_t left = count;  // divided, since a product may overflow
    for (int i = 0; i < shape.dimensions; ++i) {
        if (shape.sizes[i] <= 0 || left % shape.sizes[i] != 0) return false;
        left /= shape.sizes[i];
    }
    return left == 1;
}

void check_list(Column& column, Level level) {
    require(column.children.size() == 1 && column.type.fields.size() == 1, "list");
    check_name(column.type.fields.front().name);
    check_name(column.type.fields.front().sql_type);
    Column& elements = column.children.front();
    check_column(elements, elements.length, {level.depth + 1, true});
    check_offsets(column, elements.length);
    if (column.shapes.empty()) return;
    require_room(column.shapes, column.length, sizeof(ListShape));
    const auto* const ends = column.offsets.as<std::int64_t>();
    const auto* const shapes = column.shapes.as<ListShape>();
    for (std::int64_t row = 0; row < column.length; ++row)
        require(is_shape_of(shapes[row], ends[row + 1] - ends[row]), "shape of a list");
}

void check_struct(Column& column, Level level) {
    require(column.children.size() == column.type.fields.size(), "struct");
    for (const Field& field : column.type.fields) {
        check_name(field.name);
        check_name(field.sql_type);
    }
    for (Column& child : column.children) check_column(child, column.length, level.below());
}

/// Python's zones are less than a day, so that computations with them cannot overflow.
void check_zones(const Column& column) {
    constexpr std::int32_t kDay = 86400;
    const auto* const times = column.values.as<TimeWithZone>();
    bool is_in_range = true;
    for (std::int64_t row = 0; row < column.length; ++row)
        is_in_range &= times[row].seconds_east > -kDay && times[row].seconds_east < kDay;
    require(is_in_range, "time zone");
}

void check_fixed(Column& column) {
    const std::size_t width = fixed_width(column.type.kind);
    if (width > 0) require_room(column.values, column.length, width);
    if (column.type.kind == Kind::kTimeTz) check_zones(column);
    if (column.type.kind != Kind::kBool) return;
    auto* const bytes = column.values.as<std::uint8_t>();
    for (std::int64_t row = 0; row < column.length; ++row) bytes[row] = bytes[row] != 0 ? 1 : 0;
}

void check_unusual(Column& column, Level level) {
    const std::int64_t count = column.unusual_count();
    require((column.unusual != nullptr) == (count > 0), "unusual values");
    if (count == 0) return;
    require(can_be_unusual(column.type.kind) && column.unusual->type.kind == Kind::kText &&
                !column.unusual->has_dictionary && column.unusual->null_count == 0,
            "unusual values");
    check_column(*column.unusual, count, level.below());
    const auto* const rows = column.unusual_rows.as<std::int64_t>();
    std::int64_t least = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        require(rows[i] >= least && rows[i] < column.length && !column.is_null(rows[i]),
                "row of an unusual value");
        least = rows[i] + 1;
    }
}

void check_column(Column& column, std::int64_t length, Level level) {
    require(level.depth <= kDeepestColumn, "depth of a column");
    require(column.length == length && length >= 0 && length <= kMostRows, "length of a column");
    require(column.type.kind <= kLastKind, "kind of a column");
    check_validity(column);
    check_unusual(column, level);
    if (column.has_dictionary)
        check_dictionary(column, level);
    else if (is_bytes(column.type.kind))
        check_bytes(column);
    else if (column.type.kind == Kind::kList)
        check_list(column, level);
    else if (column.type.kind == Kind::kStruct)
        check_struct(column, level);
    else
        check_fixed(column);
}

}  // namespace

void check_batch(Batch& batch) {
    require(!batch.is_matrix, "matrix");
    require(batch.length >= 0 && batch.length <= kMostRows, "length of a batch");
    require(batch.columns.size() <= static_cast<std::size_t>(kMostColumns), "column count");
    for (Column& column : batch.columns) check_column(column, batch.length, {});
}

}  // namespace epe::engine
