// Rows, bytes, NULLs and errors of columns made from Python values.
#include "py/result/column_writer_internal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace epe::py {

std::int64_t Place::row_of(std::int64_t index) const {
    if (outer_ == nullptr) return first_row_ + index;
    if (offsets_ == nullptr) return outer_->row_of(index);
    const auto* const first = offsets_->as<std::int64_t>();
    const auto* const last = first + offsets_->size() / sizeof(std::int64_t);
    return outer_->row_of(std::upper_bound(first, last, index) - first - 1);
}

void Place::fail(const char* state, std::string_view what, std::int64_t index,
                 std::string hint) const {
    std::string message(what);
    if (column_->name.empty())
        message += " the result";
    else
        message += " column \"" + column_->name + "\"";
    throw Error(state, message + ", row " + std::to_string(row_of(index) + 1), std::move(hint));
}

Column fixed_column(Kind kind, std::int64_t rows) {
    Column column;
    column.type.kind = kind;
    column.length = rows;
    check_allocated(column.values.resize(static_cast<std::size_t>(rows) * fixed_width(kind)));
    return column;
}

void mark_null(Column& column, std::int64_t row) {
    if (column.validity.empty()) {
        check_allocated(column.validity.resize((static_cast<std::size_t>(column.length) + 7) / 8));
        std::memset(column.validity.data(), 0xFF, column.validity.size());
    }
    column.validity.as<std::uint8_t>()[row >> 3] &=
        static_cast<std::uint8_t>(~(1U << static_cast<unsigned>(row & 7)));
    ++column.null_count;
}

namespace {

/// The bitmap of a column without NULLs so far.
template <typename T>
void mark_nans_of(Column& column) {
    const T* const values = column.values.as<T>();
    std::int64_t count = 0;
    for (std::int64_t row = 0; row < column.length; ++row) count += values[row] != values[row];
    if (count == 0) return;
    check_allocated(
        column.validity.resize_zeroed((static_cast<std::size_t>(column.length) + 7) / 8));
    auto* const bits = column.validity.as<std::uint8_t>();
    for (std::int64_t row = 0; row < column.length; ++row)
        bits[row >> 3] |= static_cast<std::uint8_t>((values[row] == values[row] ? 1U : 0U)
                                                    << static_cast<unsigned>(row & 7));
    column.null_count = count;
}

}  // namespace

void mark_nans(Column& column) {
    if (column.type.kind == Kind::kFloat32)
        mark_nans_of<float>(column);
    else if (column.type.kind == Kind::kFloat64)
        mark_nans_of<double>(column);
}

void clear_slot(Column& column, std::int64_t row) {
    switch (column.type.kind) {
        case Kind::kFloat32:
            column.values.as<float>()[row] = std::numeric_limits<float>::quiet_NaN();
            return;
        case Kind::kFloat64:
            column.values.as<double>()[row] = std::numeric_limits<double>::quiet_NaN();
            return;
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
        case Kind::kInterval:
            column.values.as<std::int64_t>()[row] = std::numeric_limits<std::int64_t>::min();
            return;
        default:
            if (const std::size_t width = fixed_width(column.type.kind); width != 0)
                std::memset(column.values.data() + static_cast<std::size_t>(row) * width, 0, width);
    }
}

std::string float_text(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    constexpr double kLeastPlain = 1e-4;
    constexpr double kLeastExponent = 1e15;
    const double size = std::fabs(value);
    const bool is_plain = size == 0 || (size >= kLeastPlain && size < kLeastExponent);
    char digits[32];
    const auto end =
        std::to_chars(digits, digits + sizeof digits, value,
                      is_plain ? std::chars_format::fixed : std::chars_format::scientific);
    return {digits, end.ptr};
}

std::string decimal_text(PyObject* value) {
    const Ref text =
        Ref::steal(PyFloat_Check(value) ? PyFloat_Type.tp_repr(value) : PyObject_Str(value));
    std::string result(utf8(text.get()));
    if (result.find("NaN") != std::string::npos || result == "nan") return "NaN";
    if (result == "inf" || result == "Infinity") return "Infinity";
    if (result == "-inf" || result == "-Infinity") return "-Infinity";
    if (result.find_first_of("eE") == std::string::npos) return result;
    // Beyond numeric's range, digits would only be numerous: let PostgreSQL reject the exponent.
    const std::size_t exponent = result.find_first_of("eE") + 1;
    if (result.size() - exponent > 6) return result;
    const Ref decimal = call(attribute(import_module("decimal").get(), "Decimal").get(), text);
    const Ref digits = call(attribute(decimal.get(), "__format__").get(), to_python("f"));
    return std::string(utf8(digits.get()));
}

BytesWriter::BytesWriter(Kind kind, std::int64_t rows) {
    column_.type.kind = kind;
    column_.length = rows;
    check_allocated(
        column_.offsets.resize(static_cast<std::size_t>(rows + 1) * sizeof(std::int64_t)));
    column_.offsets.as<std::int64_t>()[0] = 0;
}

/// In pieces: copying a long value takes time, and allocating its memory more.
void BytesWriter::add(std::string_view bytes) {
    constexpr std::size_t kPiece = std::size_t{4} << 20;
    do {
        const std::string_view piece = bytes.substr(0, kPiece);
        check_allocated(column_.values.append(piece.data(), piece.size()));
        bytes.remove_prefix(piece.size());
        unchecked_ += piece.size();
        if (unchecked_ < kPiece) continue;
        unchecked_ = 0;
        check_cancel();
    } while (!bytes.empty());
}

void BytesWriter::end_row() {
    check_now_and_then(row_);
    column_.offsets.as<std::int64_t>()[++row_] = static_cast<std::int64_t>(column_.values.size());
}

void BytesWriter::append(std::string_view bytes) {
    add(bytes);
    end_row();
}

void BytesWriter::append_text(PyObject* text, const Place& place, std::int64_t index) {
    constexpr Py_ssize_t kPiece = Py_ssize_t{1} << 20;  // characters
    const Py_ssize_t length = PyUnicode_Check(text) ? PyUnicode_GET_LENGTH(text) : 0;
    if (length <= kPiece) {
        append(checked_utf8(text, place, index));
        return;
    }
    for (Py_ssize_t at = 0; at < length; at += kPiece) {
        const Py_ssize_t end = std::min(length, at + kPiece);
        const Ref piece = Ref::steal(PyUnicode_Substring(text, at, end));
        add(checked_utf8(piece.get(), place, index));
    }
    end_row();
}

void BytesWriter::append_null() {
    mark_null(column_, row_);
    end_row();
}

Column BytesWriter::finish() {
    column_.values.shrink();
    return std::move(column_);
}

std::string_view checked_utf8(PyObject* text, const Place& place, std::int64_t index) {
    Py_ssize_t size = 0;
    const char* const data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data == nullptr) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) throw ScriptError();
        PyErr_Clear();
        place.fail(kBadCharacter, "text with a lone surrogate character in", index);
    }
    if (std::memchr(data, 0, static_cast<std::size_t>(size)) != nullptr)
        place.fail(kBadCharacter, "text with a NUL character in", index,
                   "PostgreSQL cannot store character 0 in text.");
    return {data, static_cast<std::size_t>(size)};
}

}  // namespace epe::py
