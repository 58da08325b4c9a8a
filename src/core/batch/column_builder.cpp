// Builds one column, value by value, without ever throwing.
#include "core/batch/column_builder.h"

#include <algorithm>
#include <limits>

namespace epe {

namespace {

Column empty_column(const ColumnType& type, bool share_text) {
    Column column;
    column.type = type;
    column.has_dictionary = share_text && type.kind == Kind::kText;
    if (column.has_dictionary) {
        column.children.resize(1);
        column.children[0].type.kind = Kind::kText;
    }
    return column;
}

}  // namespace

ColumnBuilder::ColumnBuilder(const ColumnType& type, bool share_text)
    : column_(empty_column(type, share_text)), share_text_(share_text) {
    children_.reserve(type.fields.size());
    for (const Field& field : type.fields) children_.emplace_back(field.type, share_text);
}

std::size_t ColumnBuilder::bytes() const noexcept {
    std::size_t total = column_.values.size() + column_.offsets.size() + column_.validity.size() +
                        column_.shapes.size();
    if (column_.has_dictionary) total += column_.children[0].values.size();
    for (const ColumnBuilder& child : children_) total += child.bytes();
    return total;
}

void ColumnBuilder::reserve(std::int64_t rows) noexcept {
    const std::size_t width =
        column_.has_dictionary ? sizeof(std::int32_t) : fixed_width(column_.type.kind);
    (void)column_.values.reserve((static_cast<std::size_t>(column_.length + rows)) * width);
}

bool ColumnBuilder::mark_valid() noexcept {
    const auto row = static_cast<std::size_t>(column_.length);
    if ((row >> 3) >= column_.validity.size() && !column_.validity.push(std::uint8_t{0}))
        return false;
    column_.validity.as<std::uint8_t>()[row >> 3] |= static_cast<std::uint8_t>(1U << (row & 7));
    return true;
}

/// The next rows, before they are counted.
bool ColumnBuilder::mark_all_valid(std::int64_t rows) noexcept {
    const auto first = static_cast<std::size_t>(column_.length);
    const std::size_t end = first + static_cast<std::size_t>(rows);
    if (!column_.validity.resize_zeroed((end + 7) / 8)) return false;
    auto* bits = column_.validity.as<std::uint8_t>();
    for (std::size_t row = first; row < end; ++row)
        bits[row >> 3] |= static_cast<std::uint8_t>(1U << (row & 7));
    return true;
}

bool ColumnBuilder::mark_null() noexcept {
    const auto row = static_cast<std::size_t>(column_.length);
    if (column_.null_count == 0) {
        column_.validity.clear();
        if (!column_.validity.resize(row / 8 + 1)) return false;
        std::memset(column_.validity.data(), 0xFF, row / 8 + 1);
    } else if ((row >> 3) >= column_.validity.size() && !column_.validity.push(std::uint8_t{0})) {
        return false;
    }
    column_.validity.as<std::uint8_t>()[row >> 3] &= static_cast<std::uint8_t>(~(1U << (row & 7)));
    ++column_.null_count;
    return true;
}

/// The value slot under a NULL or an unusual value; see Column.
bool ColumnBuilder::append_empty_slot() noexcept {
    constexpr auto kNotATime = std::numeric_limits<std::int64_t>::min();
    switch (column_.type.kind) {
        case Kind::kNull:
        case Kind::kStruct:
            return true;
        case Kind::kFloat32:
            return column_.values.push(std::numeric_limits<float>::quiet_NaN());
        case Kind::kFloat64:
            return column_.values.push(std::numeric_limits<double>::quiet_NaN());
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
        case Kind::kInterval:
            return column_.values.push(kNotATime);
        case Kind::kList:
            return start_bytes() &&
                   column_.offsets.push(column_.offsets.as<std::int64_t>()[column_.length]) &&
                   (column_.shapes.empty() || column_.shapes.push(ListShape{}));
        case Kind::kText:
        case Kind::kDecimal:
        case Kind::kBinary:
        case Kind::kJson:
            if (column_.has_dictionary) return column_.values.push(std::int32_t{-1});
            return start_bytes() &&
                   column_.offsets.push(static_cast<std::int64_t>(column_.values.size()));
        default:
            return column_.values.resize_zeroed(column_.values.size() +
                                                fixed_width(column_.type.kind));
    }
}

bool ColumnBuilder::append_null() noexcept {
    if (column_.type.kind == Kind::kNull) {
        ++column_.length;
        ++column_.null_count;
        return true;
    }
    if (column_.type.kind == Kind::kStruct) {
        for (ColumnBuilder& child : children_)
            if (!child.append_null()) return false;
    }
    if (!append_empty_slot() || !mark_null()) return false;
    ++column_.length;
    return true;
}

bool ColumnBuilder::append_uuid(const void* bytes16) noexcept {
    if (!column_.values.append(bytes16, 16)) return false;
    if (column_.null_count != 0 && !mark_valid()) return false;
    ++column_.length;
    return true;
}

bool ColumnBuilder::start_bytes() noexcept {
    return !column_.offsets.empty() || column_.offsets.push(std::int64_t{0});
}

bool ColumnBuilder::append_bytes(const char* bytes, std::size_t size) noexcept {
    if (column_.has_dictionary) {
        const std::int32_t code = dictionary_.encode(bytes, size, column_.children[0]);
        if (code == -1) return false;
        if (code >= 0) return append(code);
        if (!leave_dictionary()) return false;
    }
    if (!start_bytes() || !column_.values.append(bytes, size) ||
        !column_.offsets.push(static_cast<std::int64_t>(column_.values.size())))
        return false;
    if (column_.null_count != 0 && !mark_valid()) return false;
    ++column_.length;
    return true;
}

/// Writes the texts out: the column has too many distinct ones.
bool ColumnBuilder::leave_dictionary() noexcept {
    Buffer codes = std::move(column_.values);
    const Column& distinct = column_.children[0];
    Buffer texts;
    Buffer offsets;
    bool is_done = offsets.push(std::int64_t{0});
    for (std::int64_t row = 0; is_done && row < column_.length; ++row) {
        const std::int32_t code = codes.as<std::int32_t>()[row];
        if (code >= 0)
            is_done = texts.append(distinct.bytes_at(code),
                                   static_cast<std::size_t>(distinct.bytes_length(code)));
        is_done = is_done && offsets.push(static_cast<std::int64_t>(texts.size()));
    }
    if (!is_done) {
        column_.values = std::move(codes);
        return false;
    }
    column_.values = std::move(texts);
    column_.offsets = std::move(offsets);
    column_.has_dictionary = false;
    column_.children.clear();
    dictionary_.clear();
    return true;
}

bool ColumnBuilder::append_unusual(const char* text, std::size_t size) noexcept {
    if (column_.unusual == nullptr) {
        column_.unusual.reset(new (std::nothrow) Column());
        if (column_.unusual == nullptr) return false;
        column_.unusual->type.kind = Kind::kText;
        if (!column_.unusual->offsets.push(std::int64_t{0})) return false;
    }
    Column& texts = *column_.unusual;
    if (!texts.values.append(text, size) ||
        !texts.offsets.push(static_cast<std::int64_t>(texts.values.size())))
        return false;
    ++texts.length;
    if (!column_.unusual_rows.push(column_.length) || !append_empty_slot()) return false;
    if (column_.null_count != 0 && !mark_valid()) return false;
    ++column_.length;
    return true;
}

bool ColumnBuilder::append_list(int dimensions, const std::int32_t* sizes) noexcept {
    if (!start_bytes()) return false;
    const auto row = static_cast<std::size_t>(column_.length);
    if (dimensions > 1 && column_.shapes.empty() && row > 0) {
        // So far every list had at most one dimension: store their shapes now.
        if (!column_.shapes.resize_zeroed(row * sizeof(ListShape))) return false;
        auto* shapes = column_.shapes.as<ListShape>();
        const auto* ends = column_.offsets.as<std::int64_t>();
        for (std::size_t i = 0; i < row; ++i) {
            shapes[i].sizes[0] = static_cast<std::int32_t>(ends[i + 1] - ends[i]);
            shapes[i].dimensions = shapes[i].sizes[0] > 0 ? 1 : 0;
        }
    }
    if (dimensions > 1 || !column_.shapes.empty()) {
        ListShape shape{};
        shape.dimensions = dimensions;
        std::copy_n(sizes, dimensions, shape.sizes);
        if (!column_.shapes.push(shape)) return false;
    }
    if (!column_.offsets.push(children_[0].length())) return false;
    if (column_.null_count != 0 && !mark_valid()) return false;
    ++column_.length;
    return true;
}

bool ColumnBuilder::append_struct() noexcept {
    if (column_.null_count != 0 && !mark_valid()) return false;
    ++column_.length;
    return true;
}

Column ColumnBuilder::finish() {
    Column built = empty_column(column_.type, share_text_);
    std::swap(built, column_);
    dictionary_.clear();
    if (is_bytes(built.type.kind) || built.type.kind == Kind::kList) {
        Buffer& offsets = built.has_dictionary ? built.children[0].offsets : built.offsets;
        if (offsets.empty() && !offsets.push(std::int64_t{0})) throw std::bad_alloc();
    }
    for (ColumnBuilder& child : children_) built.children.push_back(child.finish());
    return built;
}

bool ColumnBuilder::append_list_row(const Column& from, std::int64_t row) noexcept {
    const auto* ends = from.offsets.as<std::int64_t>();
    const std::int64_t count = ends[row + 1] - ends[row];
    if (!children_[0].append_rows(from.children[0], ends[row], count)) return false;
    if (!from.shapes.empty()) {
        const ListShape& shape = from.shapes.as<ListShape>()[row];
        return append_list(shape.dimensions, shape.sizes);
    }
    const auto size = static_cast<std::int32_t>(count);
    return append_list(count > 0 ? 1 : 0, &size);
}

bool ColumnBuilder::append_row(const Column& from, std::int64_t row) noexcept {
    if (from.is_null(row)) return append_null();
    if (from.unusual != nullptr) {
        const auto* rows = from.unusual_rows.as<std::int64_t>();
        const auto* end = rows + from.unusual_count();
        const auto* found = std::lower_bound(rows, end, row);
        if (found != end && *found == row)
            return append_unusual(
                from.unusual->bytes_at(found - rows),
                static_cast<std::size_t>(from.unusual->bytes_length(found - rows)));
    }
    switch (from.type.kind) {
        case Kind::kList:
            return append_list_row(from, row);
        case Kind::kStruct:
            for (std::size_t i = 0; i < children_.size(); ++i)
                if (!children_[i].append_rows(from.children[i], row, 1)) return false;
            return append_struct();
        case Kind::kText:
        case Kind::kDecimal:
        case Kind::kBinary:
        case Kind::kJson: {
            const Column& texts = from.has_dictionary ? from.children[0] : from;
            const std::int64_t at = from.has_dictionary ? from.values.as<std::int32_t>()[row] : row;
            return append_bytes(texts.bytes_at(at),
                                static_cast<std::size_t>(texts.bytes_length(at)));
        }
        default: {
            const std::size_t width = fixed_width(from.type.kind);
            if (!column_.values.append(from.values.data() + static_cast<std::size_t>(row) * width,
                                       width))
                return false;
            return append_struct();  // marks it valid and counts it
        }
    }
}

bool ColumnBuilder::append_rows(const Column& from, std::int64_t first,
                                std::int64_t count) noexcept {
    for (std::int64_t row = first; row < first + count; ++row)
        if (!append_row(from, row)) return false;
    return true;
}

}  // namespace epe
