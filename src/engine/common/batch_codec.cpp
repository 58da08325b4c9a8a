// Serializes batches for the transport between a PostgreSQL backend and an engine process.
#include "engine/common/batch_codec.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "engine/common/batch_check.h"

namespace epe::engine {

namespace {

// The flags of a column's description.
constexpr unsigned kHasDictionary = 1;
constexpr unsigned kHasShapes = 2;
constexpr unsigned kHasUnusual = 4;
constexpr unsigned kAllFlags = 7;

constexpr std::size_t aligned(std::size_t size) noexcept {
    return (size + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
}

constexpr std::size_t bytes_of(std::int64_t count, std::size_t width) noexcept {
    return static_cast<std::size_t>(count) * width;
}

constexpr std::size_t bitmap_size(std::int64_t count) noexcept {
    return static_cast<std::size_t>((count + 7) / 8);
}

// -------------------------------------------------------------------------------------- encoding

/// `count` bits of `from`, moved to the start of `to`; the spare bits of the last byte are
/// arbitrary. Reads nothing after the byte of the last bit.
void copy_bits(const std::byte* from, std::int64_t first, std::int64_t count, std::byte* to) {
    const auto* const source = reinterpret_cast<const std::uint8_t*>(from) + first / 8;
    const std::size_t size = bitmap_size(count);
    const auto shift = static_cast<unsigned>(first % 8);
    if (shift == 0) {
        std::memcpy(to, source, size);
        return;
    }
    auto* const target = reinterpret_cast<std::uint8_t*>(to);
    const std::size_t available = bitmap_size(first % 8 + count);
    for (std::size_t i = 0; i + 1 < available; ++i)
        target[i] = static_cast<std::uint8_t>((source[i] | source[i + 1] << 8) >> shift);
    if (size == available) target[size - 1] = static_cast<std::uint8_t>(source[size - 1] >> shift);
}

/// Offsets or row numbers, relative to `base`.
void copy_numbers(const std::byte* from, std::size_t size, std::int64_t base, std::byte* to) {
    const auto* const source = reinterpret_cast<const std::int64_t*>(from);
    auto* const target = reinterpret_cast<std::int64_t*>(to);
    for (std::size_t i = 0; i < size / sizeof(std::int64_t); ++i) target[i] = source[i] - base;
}

std::int64_t nulls_among(const Column& column, std::int64_t first, std::int64_t count) noexcept {
    if (column.type.kind == Kind::kNull) return count;
    if (column.null_count == 0 || (first == 0 && count == column.length)) return column.null_count;
    if (column.validity.empty()) return count;
    return count - count_set_bits(column.validity, first, count);
}

}  // namespace

BatchEncoder::BatchEncoder(const Batch& batch, std::int64_t first_row, std::int64_t row_count) {
    if (first_row < 0 || row_count < 0 || row_count > batch.length - first_row)
        throw Error(sqlstate::kInternal, "rows to be sent are not in their batch");
    constexpr std::size_t kPiecesPerColumn = 3;
    constexpr std::size_t kBytesPerColumn = 20;
    pieces_.reserve(batch.columns.size() * kPiecesPerColumn + 1);
    description_.bytes().reserve((batch.columns.size() + 2) * kBytesPerColumn);
    description_.number(row_count);
    description_.boolean(batch.is_matrix);
    if (batch.is_matrix) {
        add_matrix(batch, {first_row, row_count});
    } else {
        description_.number(static_cast<std::int64_t>(batch.columns.size()));
        for (const Column& column : batch.columns) add_column(column, {first_row, row_count});
    }
    description_.number(static_cast<std::uint64_t>(data_size_));
}

void BatchEncoder::describe(WireWriter& to) const {
    to.append(description_.bytes().data(), description_.bytes().size());
}

void BatchEncoder::write_data(std::byte* to) const noexcept {
    std::size_t end = 0;
    for (const Piece& piece : pieces_) {
        std::byte* const at = to + aligned(end);
        end = aligned(end) + piece.size;
        if (piece.from == nullptr)
            std::memset(at, 0, piece.size);
        else if (piece.form == PieceForm::kBits)
            copy_bits(piece.from, piece.bits.first, piece.bits.count, at);
        else if (piece.form == PieceForm::kNumbers && piece.base != 0)
            copy_numbers(piece.from, piece.size, piece.base, at);
        else
            std::memcpy(at, piece.from, piece.size);
    }
}

void BatchEncoder::add(const Piece& piece) {
    if (piece.size == 0) return;
    pieces_.push_back(piece);
    data_size_ = aligned(data_size_) + piece.size;
}

void BatchEncoder::add_bytes(const Buffer& buffer, Rows rows, std::size_t width) {
    if (rows.count == 0) return;  // the buffer may be null
    Piece piece;
    piece.from = buffer.data() + bytes_of(rows.first, width);
    piece.size = bytes_of(rows.count, width);
    add(piece);
}

void BatchEncoder::add_numbers(const Buffer& buffer, Rows rows, std::int64_t base) {
    Piece piece;
    piece.form = PieceForm::kNumbers;
    // A missing first offset is 0.
    if (!buffer.empty()) piece.from = buffer.data() + bytes_of(rows.first, sizeof(std::int64_t));
    piece.size = bytes_of(rows.count, sizeof(std::int64_t));
    piece.base = base;
    add(piece);
}

/// The number of columns; for a batch without rows, the width of the schema, if there is one.
void BatchEncoder::add_matrix(const Batch& batch, Rows rows) {
    std::size_t width = batch.schema == nullptr ? 0 : batch.schema->size();
    if (batch.length > 0)
        width = batch.matrix.size() / sizeof(double) / static_cast<std::size_t>(batch.length);
    description_.number(static_cast<std::int64_t>(width));
    add_bytes(batch.matrix, rows, width * sizeof(double));
}

void BatchEncoder::add_column(const Column& column, Rows rows) {
    const std::int64_t null_count = nulls_among(column, rows.first, rows.count);
    Rows unusual;
    if (column.unusual != nullptr) {
        const auto* const first = column.unusual_rows.as<std::int64_t>();
        const auto* const last = first + column.unusual_count();
        const auto* const from = std::lower_bound(first, last, rows.first);
        const auto* const end = std::lower_bound(from, last, rows.first + rows.count);
        unusual = {from - first, end - from};
    }
    const bool has_shapes = column.type.kind == Kind::kList && !column.shapes.empty();
    const unsigned flags = (column.has_dictionary ? kHasDictionary : 0U) |
                           (has_shapes ? kHasShapes : 0U) | (unusual.count > 0 ? kHasUnusual : 0U);
    description_.number(column.type.kind);
    description_.number(static_cast<std::uint8_t>(flags));
    description_.number(null_count);
    if (column.type.kind != Kind::kNull && null_count > 0) {
        Piece bits;
        bits.form = PieceForm::kBits;
        bits.from = column.validity.data();
        bits.size = bitmap_size(rows.count);
        bits.bits = rows;
        add(bits);
    }
    add_values(column, rows);
    if (unusual.count == 0) return;
    description_.number(unusual.count);
    add_numbers(column.unusual_rows, unusual, rows.first);
    add_column(*column.unusual, unusual);
}

/// The range that the offsets of some rows enclose. A column without rows may have no offsets.
BatchEncoder::Rows BatchEncoder::inside(const Column& column, Rows rows) noexcept {
    if (column.offsets.empty()) return {};
    const auto* const ends = column.offsets.as<std::int64_t>() + rows.first;
    return {ends[0], ends[rows.count] - ends[0]};
}

void BatchEncoder::add_values(const Column& column, Rows rows) {
    if (column.has_dictionary) {
        const Column& texts = column.children.front();
        add_bytes(column.values, rows, sizeof(std::int32_t));
        description_.number(texts.length);
        add_column(texts, {0, texts.length});
    } else if (is_bytes(column.type.kind)) {
        const Rows bytes = inside(column, rows);
        description_.number(bytes.count);
        add_numbers(column.offsets, {rows.first, rows.count + 1}, bytes.first);
        add_bytes(column.values, bytes, 1);
    } else if (column.type.kind == Kind::kList) {
        add_list(column, rows);
    } else if (column.type.kind == Kind::kStruct) {
        description_.number(static_cast<std::int64_t>(column.children.size()));
        for (std::size_t i = 0; i < column.children.size(); ++i) {
            add_field(column, i);
            add_column(column.children[i], rows);
        }
    } else {
        add_bytes(column.values, rows, fixed_width(column.type.kind));
    }
}

void BatchEncoder::add_list(const Column& column, Rows rows) {
    const Rows elements = inside(column, rows);
    description_.number(elements.count);
    add_numbers(column.offsets, {rows.first, rows.count + 1}, elements.first);
    if (!column.shapes.empty()) add_bytes(column.shapes, rows, sizeof(ListShape));
    add_field(column, 0);
    add_column(column.children.front(), elements);
}

/// The names of child fields; the type of each follows with the child.
void BatchEncoder::add_field(const Column& column, std::size_t index) {
    static const Field kUnnamed{};
    const Field& field = index < column.type.fields.size() ? column.type.fields[index] : kUnnamed;
    description_.text(field.name);
    description_.text(field.sql_type);
    description_.number(field.type_oid);
    description_.number(field.type_modifier);
}

// -------------------------------------------------------------------------------------- decoding

namespace {

/// Reads one batch. All promised sizes stay within `size_` bytes of data, even from a hostile peer.
class BatchDecoder {
   public:
    /// Borrows from `data` while there is a lease, else copies.
    BatchDecoder(WireReader& reader, std::span<const std::byte> data, Lease* lease)
        : reader_(reader), data_(data), lease_(lease) {}

    Batch decode() {
        Batch batch;
        batch.length = reader_.count(kMostRows);
        batch.is_matrix = reader_.boolean();
        const std::int64_t width = reader_.count(kMostColumns);
        if (batch.is_matrix)
            batch.matrix = take(bytes_of(batch.length, bytes_of(width, sizeof(double))));
        else
            batch.columns = columns(width, batch.length);
        if (reader_.number<std::uint64_t>() != end_) WireReader::fail("size of a batch's data");
        return batch;
    }

   private:
    std::vector<Column> columns(std::int64_t count, std::int64_t length) {
        std::vector<Column> read;
        if (bytes_of(count, kLeastDescription) > reader_.left()) WireReader::fail("column count");
        read.reserve(static_cast<std::size_t>(count));
        for (std::int64_t i = 0; i < count; ++i) read.push_back(column(length, 1));
        return read;
    }
    Buffer take(std::size_t size);
    Column column(std::int64_t length, int depth);
    void read_dictionary(Column& column, int depth);
    void read_bytes(Column& column);
    void read_list(Column& column, bool has_shapes, int depth);
    void read_struct(Column& column, int depth);
    void read_unusual(Column& column, int depth);
    Field field();

    static constexpr std::size_t kLeastDescription = 10;  // kind, flags, null_count

    WireReader& reader_;
    std::span<const std::byte> data_;
    Lease* lease_;
    std::size_t end_ = 0;  // end of the data consumed so far
};

/// The next buffer of the data.
Buffer BatchDecoder::take(std::size_t size) {
    if (size == 0) return {};
    const std::size_t at = aligned(end_);
    if (at > data_.size() || size > data_.size() - at) WireReader::fail("size of a buffer");
    end_ = at + size;
    const std::byte* const from = data_.data() + at;
    constexpr std::uintptr_t kWidestValue = 16;
    if (lease_ != nullptr && reinterpret_cast<std::uintptr_t>(from) % kWidestValue == 0)
        // It was writable when it was passed to decode_borrowed().
        return Buffer::borrow(const_cast<std::byte*>(from), size, *lease_);
    Buffer copied;
    if (!copied.append(from, size)) throw std::bad_alloc();
    return copied;
}

Column BatchDecoder::column(std::int64_t length, int depth) {
    if (depth > kDeepestColumn) WireReader::fail("depth of a column");
    Column column;
    column.type.kind = reader_.enumerator(kLastKind);
    const auto flags = reader_.number<std::uint8_t>();
    column.length = length;
    column.null_count = reader_.count(length);
    const Kind kind = column.type.kind;
    column.has_dictionary = (flags & kHasDictionary) != 0;
    if ((flags & ~kAllFlags) != 0 || (column.has_dictionary && kind != Kind::kText) ||
        ((flags & kHasShapes) != 0 && kind != Kind::kList) ||
        ((flags & kHasUnusual) != 0 && fixed_width(kind) == 0))
        WireReader::fail("flags of a column");
    if (kind != Kind::kNull && column.null_count > 0) column.validity = take(bitmap_size(length));
    if (column.has_dictionary)
        read_dictionary(column, depth);
    else if (is_bytes(kind))
        read_bytes(column);
    else if (kind == Kind::kList)
        read_list(column, (flags & kHasShapes) != 0, depth);
    else if (kind == Kind::kStruct)
        read_struct(column, depth);
    else
        column.values = take(bytes_of(length, fixed_width(kind)));
    if ((flags & kHasUnusual) != 0) read_unusual(column, depth);
    return column;
}

void BatchDecoder::read_dictionary(Column& column, int depth) {
    column.values = take(bytes_of(column.length, sizeof(std::int32_t)));
    const std::int64_t distinct = reader_.count(INT32_MAX);
    column.children.push_back(this->column(distinct, depth + 1));
    const Column& texts = column.children.front();
    if (texts.type.kind != Kind::kText || texts.has_dictionary) WireReader::fail("dictionary");
}

void BatchDecoder::read_bytes(Column& column) {
    const std::int64_t size = reader_.count(INT64_MAX);
    column.offsets = take(bytes_of(column.length + 1, sizeof(std::int64_t)));
    column.values = take(static_cast<std::size_t>(size));
}

void BatchDecoder::read_list(Column& column, bool has_shapes, int depth) {
    const std::int64_t elements = reader_.count(kMostRows);
    column.offsets = take(bytes_of(column.length + 1, sizeof(std::int64_t)));
    if (has_shapes) column.shapes = take(bytes_of(column.length, sizeof(ListShape)));
    column.type.fields.push_back(field());
    column.children.push_back(this->column(elements, depth + 1));
    column.type.fields.back().type = column.children.back().type;
}

void BatchDecoder::read_struct(Column& column, int depth) {
    const std::int64_t count = reader_.count(kMostColumns);
    for (std::int64_t i = 0; i < count; ++i) {
        column.type.fields.push_back(field());
        column.children.push_back(this->column(column.length, depth + 1));
        column.type.fields.back().type = column.children.back().type;
    }
}

void BatchDecoder::read_unusual(Column& column, int depth) {
    const std::int64_t count = reader_.count(column.length);
    column.unusual_rows = take(bytes_of(count, sizeof(std::int64_t)));
    column.unusual = std::make_unique<Column>(this->column(count, depth + 1));
    if (column.unusual->type.kind != Kind::kText || column.unusual->has_dictionary)
        WireReader::fail("unusual values");
}

Field BatchDecoder::field() {
    Field field;
    field.name = reader_.text();
    field.sql_type = reader_.text();
    field.type_oid = reader_.number<std::uint32_t>();
    field.type_modifier = reader_.number<std::int32_t>();
    return field;
}

}  // namespace

Batch decode_borrowed(WireReader& description, std::span<std::byte> data, Lease& lease) {
    return BatchDecoder(description, data, &lease).decode();
}

Batch decode_copied(WireReader& description, std::span<const std::byte> data) {
    Batch batch = BatchDecoder(description, data, nullptr).decode();
    check_batch(batch);
    return batch;
}

}  // namespace epe::engine
