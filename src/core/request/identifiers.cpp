// Names as users write them in SQL arguments: splitting, quoting, matching with columns.
#include "core/request/identifiers.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace epe {
namespace {

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

constexpr bool continues_identifier(char c) noexcept {
    return (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c) || c == '_' || c == '$' ||
           static_cast<unsigned char>(c) >= 0x80;
}

[[noreturn]] void throw_bad_name(std::string_view text, const char* argument, const char* detail) {
    ErrorReport report;
    report.sqlstate = sqlstate::kInvalidArgument;
    report.message = "invalid name in argument \"" + std::string(argument) + "\"";
    if (!trim(text).empty()) report.message += ": \"" + shorten(trim(text)) + '"';
    report.detail = detail;
    throw Error(std::move(report));
}

/// Splits at separators outside double quotes. Pieces are trimmed.
std::vector<std::string_view> split_outside_quotes(std::string_view text, char separator,
                                                   const char* argument) {
    std::vector<std::string_view> pieces;
    std::size_t start = 0;
    bool in_quotes = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') {
            in_quotes = !in_quotes;  // a doubled quote closes and reopens the name
        } else if (text[i] == separator && !in_quotes) {
            pieces.push_back(trim(text.substr(start, i - start)));
            start = i + 1;
        }
    }
    if (in_quotes) throw_bad_name(text, argument, "A double quote is not closed.");
    pieces.push_back(trim(text.substr(start)));
    return pieces;
}

/// Length of the quoted name at the start of a piece, both quotes included; 0 if there is none.
std::size_t quoted_length(std::string_view piece) noexcept {
    if (!piece.starts_with('"')) return 0;
    std::size_t i = 1;
    while (i < piece.size()) {
        if (piece[i] == '"') {
            if (i + 1 >= piece.size() || piece[i + 1] != '"') return i + 1;
            ++i;
        }
        ++i;
    }
    return piece.size();
}

NamePart read_name(std::string_view piece, const char* argument) {
    NamePart name;
    const std::size_t quoted = quoted_length(piece);
    if (quoted == 0) {
        if (piece.find('"') != std::string_view::npos)
            throw_bad_name(piece, argument, "An unquoted name must not contain a double quote.");
        name.text = piece;
    } else {
        if (quoted != piece.size())
            throw_bad_name(piece, argument, "There is unexpected text after a quoted name.");
        name.was_quoted = true;
        for (std::size_t i = 1; i + 1 < piece.size(); ++i) {
            name.text += piece[i];
            if (piece[i] == '"') ++i;
        }
    }
    if (name.text.empty()) throw_bad_name(piece, argument, "A name must not be empty.");
    return name;
}

/// Removes a word from the end of a piece. The first `name_length` characters are a quoted name; an
/// unquoted name must keep at least one word.
bool take_last_word(std::string_view& piece, std::size_t name_length, std::string_view word) {
    if (piece.size() < name_length + word.size()) return false;
    const std::size_t start = piece.size() - word.size();
    if (!equals_ignoring_case(piece.substr(start), word)) return false;
    const bool is_behind_quotes = name_length > 0 && start == name_length;
    const bool is_whole_word = start > 0 && is_space(piece[start - 1]);
    if (!is_behind_quotes && !is_whole_word) return false;
    piece = trim(piece.substr(0, start));
    return true;
}

OrderColumn read_order_column(std::string_view piece, const char* argument) {
    OrderColumn column;
    const std::size_t quoted = quoted_length(piece);
    std::string_view rest = piece;
    const bool first = take_last_word(rest, quoted, "first");
    const bool last = !first && take_last_word(rest, quoted, "last");
    if (first || last) {
        if (take_last_word(rest, quoted, "nulls"))
            column.nulls = first ? OrderColumn::Nulls::kFirst : OrderColumn::Nulls::kLast;
        else
            rest = piece;  // it is part of the name
    }
    if (take_last_word(rest, quoted, "desc"))
        column.is_descending = true;
    else
        take_last_word(rest, quoted, "asc");
    column.name = read_name(rest, argument);
    return column;
}

std::string list_names(const std::vector<std::string>& names) {
    constexpr std::size_t kMostNames = 50;
    std::string list;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i == kMostNames) return list + " and " + std::to_string(names.size() - i) + " more";
        list += (i == 0 ? "" : ", ") + quote_identifier(names[i]);
    }
    return list;
}

/// Start of the text after white space, comments and opening parentheses.
std::size_t skip_to_word(std::string_view text, std::size_t at) noexcept {
    while (at < text.size()) {
        if (is_space(text[at]) || text[at] == '(') {
            ++at;
        } else if (text.substr(at).starts_with("--")) {
            at = std::min(text.find('\n', at), text.size());
        } else if (text.substr(at).starts_with("/*")) {
            int depth = 0;  // PostgreSQL's comments nest
            do {
                const std::string_view rest = text.substr(at);
                const bool opens = rest.starts_with("/*");
                const bool closes = rest.starts_with("*/");
                depth += opens ? 1 : (closes ? -1 : 0);
                at += opens || closes ? 2 : 1;
            } while (depth > 0 && at < text.size());
        } else {
            break;
        }
    }
    return at;
}

}  // namespace

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::string shorten(std::string_view text, std::size_t most_bytes) {
    if (text.size() <= most_bytes) return std::string(text);
    std::size_t end = most_bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
        --end;  // not inside a character
    return std::string(text.substr(0, end)) + "...";
}

std::string fold_case(std::string_view name) {
    std::string folded(name);
    std::transform(folded.begin(), folded.end(), folded.begin(), lower);
    return folded;
}

bool equals_ignoring_case(std::string_view left, std::string_view right) noexcept {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

std::string quote_identifier(std::string_view name) {
    std::string quoted = "\"";
    for (const char c : name) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

std::vector<NamePart> split_qualified_name(std::string_view text, const char* argument) {
    constexpr std::size_t kMostParts = 3;  // database, schema, name
    std::vector<NamePart> parts;
    for (const std::string_view piece : split_outside_quotes(text, '.', argument))
        parts.push_back(read_name(piece, argument));
    if (parts.size() > kMostParts)
        throw_bad_name(text, argument, "A name has at most three parts.");
    return parts;
}

std::vector<NamePart> split_column_list(std::string_view text, const char* argument) {
    std::vector<NamePart> names;
    for (const std::string_view piece : split_outside_quotes(text, ',', argument))
        names.push_back(read_name(piece, argument));
    return names;
}

std::vector<OrderColumn> split_order_list(std::string_view text, const char* argument) {
    std::vector<OrderColumn> columns;
    for (const std::string_view piece : split_outside_quotes(text, ',', argument))
        columns.push_back(read_order_column(piece, argument));
    return columns;
}

ColumnMatch find_column(const Schema& schema, const NamePart& name) {
    ColumnMatch match;
    std::vector<int> exact;
    std::vector<int> folded;
    for (std::size_t i = 0; i < schema.size(); ++i) {
        if (schema[i].name == name.text)
            exact.push_back(static_cast<int>(i));
        else if (equals_ignoring_case(schema[i].name, name.text))
            folded.push_back(static_cast<int>(i));
    }
    const bool takes_folded = exact.empty() && !name.was_quoted;
    const std::vector<int>& matches = takes_folded ? folded : exact;
    if (matches.size() == 1) {
        match.index = matches.front();
        return match;
    }
    match.is_ambiguous = matches.size() > 1;
    for (const int index : match.is_ambiguous ? matches : folded)
        match.candidates.push_back(schema[static_cast<std::size_t>(index)].name);
    return match;
}

ColumnMatch find_column(const Schema& schema, std::string_view name) {
    return find_column(schema, NamePart{.text = std::string(name)});
}

int require_column(const Schema& schema, const NamePart& name, std::string_view place) {
    const ColumnMatch match = find_column(schema, name);
    if (match.index >= 0) return match.index;
    ErrorReport report;
    if (match.is_ambiguous) {
        report.sqlstate = sqlstate::kAmbiguousColumn;
        report.message = "column name \"" + name.text + "\" is ambiguous in " + std::string(place);
        report.detail = "It matches the columns " + list_names(match.candidates) + ".";
        throw Error(std::move(report));
    }
    std::vector<std::string> names;
    for (const Field& field : schema) names.push_back(field.name);
    report.sqlstate = sqlstate::kUndefinedColumn;
    report.message = "column \"" + name.text + "\" does not exist in " + std::string(place);
    report.detail =
        names.empty() ? "There are no columns." : "The columns are " + list_names(names) + ".";
    if (!match.candidates.empty())
        report.hint = "Perhaps you meant " + list_names(match.candidates) + ".";
    throw Error(std::move(report));
}

bool looks_like_query(std::string_view text) noexcept {
    const std::size_t start = skip_to_word(text, 0);
    std::size_t end = start;
    while (end < text.size() && continues_identifier(text[end])) ++end;
    const std::string_view word = text.substr(start, end - start);
    const bool is_select = equals_ignoring_case(word, "select");
    if (!is_select && !equals_ignoring_case(word, "with") &&
        !equals_ignoring_case(word, "values") && !equals_ignoring_case(word, "table"))
        return false;
    const std::string_view rest = trim(text.substr(end));
    if (rest.starts_with('.'))  // a schema of this name, unless it is SELECT .5
        return is_select && rest.size() > 1 && is_digit(rest[1]);
    return !rest.empty();
}

}  // namespace epe
