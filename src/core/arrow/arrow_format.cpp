// The format strings of the Arrow C Data Interface.
#include "core/arrow/arrow_format.h"

#include <array>
#include <charconv>

namespace epe {

namespace {

constexpr std::int64_t kWidest = std::int64_t{1} << 30;
constexpr int kMostCodes = 128;

/// A number from 0 to `most` that ends at a comma or at the end; it is removed from `text`.
std::optional<std::int64_t> take_number(std::string_view& text, std::int64_t most) {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, number);
    if (problem != std::errc() || number < 0 || number > most) return std::nullopt;
    if (stop != end && *stop != ',') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + (stop == end ? 0 : 1));
    return number;
}

ArrowFormat fixed(std::int64_t width) { return {.layout = ArrowLayout::kFixed, .width = width}; }

std::optional<ArrowFormat> parse_letter(char letter) {
    const auto integer = [](std::int64_t width, bool is_signed) {
        ArrowFormat format = fixed(width);
        format.is_integer = true;
        format.is_signed = is_signed;
        return format;
    };
    switch (letter) {
        case 'n':
            return ArrowFormat{};
        case 'b':
            return ArrowFormat{.layout = ArrowLayout::kBits};
        case 'c':
            return integer(1, true);
        case 'C':
            return integer(1, false);
        case 's':
            return integer(2, true);
        case 'S':
            return integer(2, false);
        case 'i':
            return integer(4, true);
        case 'I':
            return integer(4, false);
        case 'l':
            return integer(8, true);
        case 'L':
            return integer(8, false);
        case 'e':
            return fixed(2);
        case 'f':
            return fixed(4);
        case 'g':
            return fixed(8);
        case 'z':
            return ArrowFormat{.layout = ArrowLayout::kBytes, .width = 4};
        case 'Z':
            return ArrowFormat{.layout = ArrowLayout::kBytes, .width = 8};
        case 'u':
            return ArrowFormat{.layout = ArrowLayout::kBytes, .width = 4, .is_text = true};
        case 'U':
            return ArrowFormat{.layout = ArrowLayout::kBytes, .width = 8, .is_text = true};
        default:
            return std::nullopt;
    }
}

/// d:precision,scale or d:precision,scale,bits.
std::optional<ArrowFormat> parse_decimal(std::string_view text) {
    const auto precision = take_number(text, 76);
    if (!precision || *precision == 0) return std::nullopt;
    const bool is_negative = text.starts_with('-');
    if (is_negative) text.remove_prefix(1);
    const std::size_t before = text.size();
    if (!take_number(text, 1000) || before == 0) return std::nullopt;
    std::int64_t bits = 128;
    if (!text.empty()) {
        const auto given = take_number(text, 256);
        if (!given || !text.empty()) return std::nullopt;
        bits = *given;
    }
    constexpr std::array<std::int64_t, 4> kDigits{9, 18, 38, 76};
    for (std::size_t i = 0; i < kDigits.size(); ++i)
        if (bits == std::int64_t{32} << i && *precision <= kDigits[i]) return fixed(bits / 8);
    return std::nullopt;
}

/// Dates, times, timestamps, durations and intervals.
std::optional<ArrowFormat> parse_time(std::string_view text) {
    const auto is_unit = [](char unit) {
        return std::string_view("smun").find(unit) != std::string_view::npos;
    };
    if (text.size() < 2) return std::nullopt;
    const char unit = text[1];
    switch (text[0]) {
        case 'd':
            if (text == "dD") return fixed(4);
            return text == "dm" ? std::optional(fixed(8)) : std::nullopt;
        case 't':
            if (text.size() != 2 || !is_unit(unit)) return std::nullopt;
            return fixed(unit == 's' || unit == 'm' ? 4 : 8);
        case 's':
            if (text.size() < 3 || text[2] != ':' || !is_unit(unit)) return std::nullopt;
            return fixed(8);
        case 'D':
            return text.size() == 2 && is_unit(unit) ? std::optional(fixed(8)) : std::nullopt;
        case 'i':
            if (text == "iM") return fixed(4);
            if (text == "iD") return fixed(8);
            return text == "in" ? std::optional(fixed(16)) : std::nullopt;
        default:
            return std::nullopt;
    }
}

std::optional<ArrowFormat> parse_union(ArrowLayout layout, std::string_view text) {
    ArrowFormat format{.layout = layout};
    std::array<bool, kMostCodes> is_used{};
    while (!text.empty()) {
        const auto code = take_number(text, kMostCodes - 1);
        if (!code || is_used[static_cast<std::size_t>(*code)]) return std::nullopt;
        is_used[static_cast<std::size_t>(*code)] = true;
        format.codes.push_back(static_cast<std::uint8_t>(*code));
    }
    return format;
}

std::optional<ArrowFormat> parse_nested(std::string_view text) {
    if (text == "l") return ArrowFormat{.layout = ArrowLayout::kList, .width = 4};
    if (text == "L") return ArrowFormat{.layout = ArrowLayout::kList, .width = 8};
    if (text == "vl") return ArrowFormat{.layout = ArrowLayout::kListView, .width = 4};
    if (text == "vL") return ArrowFormat{.layout = ArrowLayout::kListView, .width = 8};
    if (text == "m") return ArrowFormat{.layout = ArrowLayout::kList, .width = 4, .is_map = true};
    if (text == "s") return ArrowFormat{.layout = ArrowLayout::kStruct};
    if (text == "r") return ArrowFormat{.layout = ArrowLayout::kRunEnds};
    if (text.starts_with("ud:")) return parse_union(ArrowLayout::kDenseUnion, text.substr(3));
    if (text.starts_with("us:")) return parse_union(ArrowLayout::kSparseUnion, text.substr(3));
    if (!text.starts_with("w:")) return std::nullopt;
    text.remove_prefix(2);
    const auto count = take_number(text, kWidest);
    if (!count || !text.empty()) return std::nullopt;
    return ArrowFormat{.layout = ArrowLayout::kFixedList, .width = *count};
}

}  // namespace

bool ArrowFormat::has_validity() const noexcept {
    return layout != ArrowLayout::kNull && layout != ArrowLayout::kRunEnds &&
           layout != ArrowLayout::kSparseUnion && layout != ArrowLayout::kDenseUnion;
}

std::int64_t ArrowFormat::buffer_count() const noexcept {
    switch (layout) {
        case ArrowLayout::kNull:
        case ArrowLayout::kRunEnds:
            return 0;
        case ArrowLayout::kStruct:
        case ArrowLayout::kFixedList:
        case ArrowLayout::kSparseUnion:
            return 1;
        case ArrowLayout::kFixed:
        case ArrowLayout::kBits:
        case ArrowLayout::kList:
        case ArrowLayout::kDenseUnion:
            return 2;
        default:
            return 3;
    }
}

std::int64_t ArrowFormat::child_count() const noexcept {
    switch (layout) {
        case ArrowLayout::kList:
        case ArrowLayout::kListView:
        case ArrowLayout::kFixedList:
            return 1;
        case ArrowLayout::kRunEnds:
            return 2;
        case ArrowLayout::kStruct:
            return -1;
        case ArrowLayout::kSparseUnion:
        case ArrowLayout::kDenseUnion:
            return static_cast<std::int64_t>(codes.size());
        default:
            return 0;
    }
}

std::optional<ArrowFormat> parse_arrow_format(std::string_view text) {
    if (text.size() == 1) return parse_letter(text[0]);
    if (text == "vz") return ArrowFormat{.layout = ArrowLayout::kView, .width = 16};
    if (text == "vu")
        return ArrowFormat{.layout = ArrowLayout::kView, .width = 16, .is_text = true};
    if (text.empty()) return std::nullopt;
    const std::string_view rest = text.substr(1);
    if (text[0] == '+') return parse_nested(rest);
    if (text[0] == 't') return parse_time(rest);
    if (text.starts_with("d:")) return parse_decimal(text.substr(2));
    if (!text.starts_with("w:")) return std::nullopt;
    std::string_view number = text.substr(2);
    const auto width = take_number(number, kWidest);
    if (!width || !number.empty()) return std::nullopt;
    return fixed(*width);
}

}  // namespace epe
