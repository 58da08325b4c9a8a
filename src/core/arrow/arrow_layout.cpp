// Converts the columns of a batch to Arrow's layout; most need no conversion.
#include "core/arrow/arrow_layout.h"

#include <string>
#include <utility>

#include "core/error.h"

namespace epe {

namespace {

void refuse_unusual(const Column& column, const std::string& name) {
    if (column.unusual_count() == 0) return;
    const std::int64_t row = column.unusual_rows.as<std::int64_t>()[0];
    std::string value;
    if (column.unusual && column.unusual->length > 0)
        value = " \"" +
                std::string(column.unusual->bytes_at(0),
                            static_cast<std::size_t>(column.unusual->bytes_length(0))) +
                "\"";
    throw Error(sqlstate::kTimeOutOfRange,
                "value" + value + " of column \"" + name + "\", row " + std::to_string(row + 1) +
                    ", has no counterpart in Arrow",
                column.type.kind == Kind::kInterval
                    ? "Cast the column to text in the query; a pyarrow.Table can have it with "
                      "\"oml_interval\": \"month_day_nano\"."
                    : "Cast the column to text in the query.");
}

Buffer packed_bools(const Column& column) {
    Buffer bits;
    check_allocated(bits.resize_zeroed((static_cast<std::size_t>(column.length) + 7) / 8));
    const auto* const bytes = column.values.as<std::uint8_t>();
    for (std::int64_t row = 0; row < column.length; ++row)
        bits.as<std::uint8_t>()[row >> 3] |=
            static_cast<std::uint8_t>(bytes[row] != 0 ? 1U << static_cast<unsigned>(row & 7) : 0U);
    return bits;
}

void append_two_digits(std::string& text, std::int64_t number) {
    text += static_cast<char>('0' + number / 10 % 10);
    text += static_cast<char>('0' + number % 10);
}

std::string uuid_text(const Column& column, std::int64_t row) {
    constexpr char kDigits[] = "0123456789abcdef";
    const auto* const bytes = column.values.as<std::uint8_t>() + row * 16;
    std::string text;
    for (int i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15U];
    }
    return text;
}

/// As PostgreSQL prints it: 12:30:00.5+02, offsets with minutes and seconds where there are any.
std::string time_text(const Column& column, std::int64_t row) {
    const TimeWithZone value = column.values.as<TimeWithZone>()[row];
    const std::int64_t seconds = value.microseconds / 1000000;
    std::string text;
    append_two_digits(text, seconds / 3600);
    text += ':';
    append_two_digits(text, seconds / 60 % 60);
    text += ':';
    append_two_digits(text, seconds % 60);
    if (const std::int64_t fraction = value.microseconds % 1000000; fraction != 0) {
        const std::string digits = std::to_string(1000000 + fraction);
        text += "." + digits.substr(1, digits.find_last_not_of('0'));
    }
    const std::int64_t offset = value.seconds_east < 0 ? -std::int64_t{value.seconds_east}
                                                       : std::int64_t{value.seconds_east};
    text += value.seconds_east < 0 ? '-' : '+';
    append_two_digits(text, offset / 3600);
    if (offset % 3600 != 0) {
        text += ':';
        append_two_digits(text, offset / 60 % 60);
    }
    if (offset % 60 != 0) {
        text += ':';
        append_two_digits(text, offset % 60);
    }
    return text;
}

/// Offsets and bytes of a column whose values are written as text.
void add_texts(const Column& column, std::string (*text_of)(const Column&, std::int64_t),
               ArrowNode& node) {
    Buffer offsets;
    Buffer bytes;
    check_allocated(offsets.push(std::int64_t{0}));
    for (std::int64_t row = 0; row < column.length; ++row) {
        if (!column.is_null(row)) {
            const std::string text = text_of(column, row);
            check_allocated(bytes.append(text.data(), text.size()));
        }
        check_allocated(offsets.push(static_cast<std::int64_t>(bytes.size())));
    }
    node.buffers.push_back(std::move(offsets));
    node.buffers.push_back(std::move(bytes));
}

/// Offsets of an empty column may be missing; Arrow wants the first.
Buffer complete_offsets(Buffer offsets) {
    if (offsets.empty()) check_allocated(offsets.push(std::int64_t{0}));
    return offsets;
}

void add_dictionary(Column& column, ArrowNode& node) {
    auto* const codes = column.values.as<std::int32_t>();
    // NULL has code -1 here; some readers look up the code of a NULL, so use a valid one.
    for (std::int64_t row = 0; row < column.length; ++row)
        if (codes[row] < 0) codes[row] = 0;
    node.format = "i";
    node.buffers.push_back(std::move(column.values));
    node.dictionary.push_back(make_arrow_node(std::move(column.children[0]), ""));
}

/// How many dimensions the values of a list column have: the same for all that are not empty.
int dimensions_of(const Column& column, const std::string& name) {
    int dimensions = 0;
    const auto* const shapes = column.shapes.as<ListShape>();
    for (std::int64_t row = 0; row < column.length && !column.shapes.empty(); ++row) {
        if (column.is_null(row) || shapes[row].dimensions == 0) continue;
        if (dimensions != 0 && dimensions != shapes[row].dimensions)
            throw Error(sqlstate::kUnsupported,
                        "arrays of column \"" + name +
                            "\" differ in their number of dimensions, row " +
                            std::to_string(row + 1),
                        "Cast the column to text in the query.");
        dimensions = shapes[row].dimensions;
    }
    return dimensions == 0 ? 1 : dimensions;
}

/// The one-dimensional list inside a multidimensional one: each run of `sizes[dimension]` elements.
ArrowNode wrap_dimension(const Column& column, int dimension, ArrowNode inner) {
    Buffer offsets;
    check_allocated(offsets.push(std::int64_t{0}));
    const auto* const shapes = column.shapes.as<ListShape>();
    std::int64_t end = 0;
    std::int64_t length = 0;
    for (std::int64_t row = 0; row < column.length; ++row) {
        if (column.is_null(row) || shapes[row].dimensions == 0) continue;
        std::int64_t runs = 1;
        for (int outer = 0; outer < dimension; ++outer) runs *= shapes[row].sizes[outer];
        for (; runs > 0; --runs, ++length) {
            end += shapes[row].sizes[dimension];
            check_allocated(offsets.push(end));
        }
    }
    ArrowNode node;
    node.format = "+L";
    node.name = "item";
    node.length = length;
    node.buffers.emplace_back();
    node.buffers.push_back(std::move(offsets));
    inner.name = "item";
    node.children.push_back(std::move(inner));
    return node;
}

void add_list(Column& column, const std::string& name, ArrowNode& node) {
    const int dimensions = dimensions_of(column, name);
    ArrowNode inner = make_arrow_node(std::move(column.children[0]), name);
    node.format = "+L";
    if (dimensions == 1) {
        node.buffers.push_back(complete_offsets(std::move(column.offsets)));
    } else {
        // The innermost offsets count elements; wrap_dimension() counts whole inner lists.
        for (int dimension = dimensions - 1; dimension > 0; --dimension)
            inner = wrap_dimension(column, dimension, std::move(inner));
        Buffer offsets;
        check_allocated(offsets.push(std::int64_t{0}));
        std::int64_t end = 0;
        for (std::int64_t row = 0; row < column.length; ++row) {
            const ListShape& shape = column.shapes.as<ListShape>()[row];
            if (!column.is_null(row) && shape.dimensions > 0) end += shape.sizes[0];
            check_allocated(offsets.push(end));
        }
        node.buffers.push_back(std::move(offsets));
    }
    inner.name = "item";
    node.children.push_back(std::move(inner));
}

const char* format_of(Kind kind) noexcept {
    switch (kind) {
        case Kind::kNull:
            return "n";
        case Kind::kBool:
            return "b";
        case Kind::kInt16:
            return "s";
        case Kind::kInt32:
            return "i";
        case Kind::kInt64:
            return "l";
        case Kind::kFloat32:
            return "f";
        case Kind::kFloat64:
            return "g";
        case Kind::kDecimal:
        case Kind::kText:
        case Kind::kJson:
        case Kind::kUuid:
        case Kind::kTimeTz:
            return "U";
        case Kind::kBinary:
            return "Z";
        case Kind::kDate:
            return "tdD";
        case Kind::kTime:
            return "ttu";
        case Kind::kTimestamp:
            return "tsu:";
        case Kind::kTimestampTz:
            return "tsu:UTC";
        case Kind::kInterval:
            return "tDu";
        case Kind::kMonthDayNano:
            return "tin";
        case Kind::kList:
            return "+L";
        case Kind::kStruct:
            return "+s";
    }
    return "n";
}

}  // namespace

ArrowNode make_arrow_node(Column column, const std::string& name) {
    refuse_unusual(column, name);
    ArrowNode node;
    node.format = format_of(column.type.kind);
    node.name = name;
    node.length = column.length;
    node.null_count = column.null_count;
    if (column.type.kind == Kind::kNull) {
        node.null_count = column.length;
        return node;
    }
    // is_null() needs the validity until the values are done.
    Buffer validity;
    if (column.null_count != 0)
        check_allocated(validity.append(column.validity.data(), column.validity.size()));
    node.buffers.push_back(std::move(validity));
    switch (column.type.kind) {
        case Kind::kBool:
            node.buffers.push_back(packed_bools(column));
            break;
        case Kind::kUuid:
            add_texts(column, uuid_text, node);
            break;
        case Kind::kTimeTz:
            add_texts(column, time_text, node);
            break;
        case Kind::kList:
            add_list(column, name, node);
            break;
        case Kind::kStruct:
            for (std::size_t i = 0; i < column.children.size(); ++i) {
                node.children.push_back(make_arrow_node(std::move(column.children[i]), name));
                node.children.back().name = column.type.fields[i].name;
            }
            break;
        default:
            if (column.has_dictionary) {
                add_dictionary(column, node);
            } else {
                if (is_bytes(column.type.kind))
                    node.buffers.push_back(complete_offsets(std::move(column.offsets)));
                node.buffers.push_back(std::move(column.values));
            }
    }
    return node;
}

}  // namespace epe
