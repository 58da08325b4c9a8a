// Type names in column maps: translates Oracle's SQL type names to PostgreSQL's.
#include "core/request/oracle_type_names.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "core/request/identifiers.h"

namespace epe {
namespace {

/// Reads a type name token by token: words and numbers, folded, and single signs. Any sign that no
/// Oracle type name contains (a quote, a dot, ...) matches nothing and ends the reading.
class TypeReader {
   public:
    explicit TypeReader(std::string_view text) {
        const auto in_word = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                   static_cast<unsigned char>(c) >= 0x80;
        };
        const std::string folded = fold_case(text);
        for (std::size_t i = 0; i < folded.size();) {
            std::size_t end = i;
            while (end < folded.size() && in_word(folded[end])) ++end;
            end = std::max(end, i + 1);
            if (!trim(std::string_view(folded).substr(i, end - i)).empty())
                tokens_.push_back(folded.substr(i, end - i));
            i = end;
        }
    }

    bool at_end() const noexcept { return next_ == tokens_.size(); }
    bool is_malformed() const noexcept { return is_malformed_; }
    bool sees(std::string_view token) const noexcept {
        return !at_end() && tokens_[next_] == token;
    }
    bool take_token(std::string_view token) noexcept {
        const bool found = sees(token);
        next_ += found ? 1 : 0;
        return found;
    }
    std::string take_any() { return at_end() ? std::string() : tokens_[next_++]; }

    /// The comma-separated arguments in parentheses; empty when there are none.
    std::vector<std::string> take_arguments() {
        std::vector<std::string> arguments;
        if (!take_token("(")) return arguments;
        arguments.emplace_back();
        while (!at_end() && !sees(")")) {
            if (take_token(","))
                arguments.emplace_back();
            else
                arguments.back() += take_any() + ' ';
        }
        if (!take_token(")")) is_malformed_ = true;
        for (std::string& argument : arguments) argument = trim(argument);
        return arguments;
    }

   private:
    std::vector<std::string> tokens_{};
    std::size_t next_ = 0;
    bool is_malformed_ = false;
};

std::string with_arguments(const char* name, const std::vector<std::string>& arguments) {
    std::string text = name;
    for (std::size_t i = 0; i < arguments.size(); ++i) text += (i == 0 ? '(' : ',') + arguments[i];
    return arguments.empty() ? text : text + ')';
}

std::string numeric_type(std::vector<std::string> arguments) {
    if (!arguments.empty() && arguments[0] == "*") {
        if (arguments.size() == 1) return "numeric";
        arguments[0] = "38";  // Oracle's meaning of *
    }
    for (std::string& argument : arguments)  // "- 2" after the tokens were joined
        if (argument.starts_with("- ")) argument.erase(1, 1);
    return with_arguments("numeric", arguments);
}

/// Lengths are characters in PostgreSQL, for either length unit of Oracle.
std::string character_type(const char* name, std::vector<std::string> arguments) {
    if (!arguments.empty()) {
        std::string& length = arguments[0];
        for (const std::string_view unit : {" byte", " char"})
            if (length.ends_with(unit)) length.erase(length.size() - unit.size());
    }
    return with_arguments(name, arguments);
}

std::optional<std::string> interval_type(TypeReader& reader) {
    if (reader.take_token("day")) {
        reader.take_arguments();  // precision of the days: PostgreSQL has no limit
        if (reader.take_token("to") && reader.take_token("second"))
            return with_arguments("interval day to second", reader.take_arguments());
    } else if (reader.take_token("year")) {
        reader.take_arguments();
        if (reader.take_token("to") && reader.take_token("month")) return "interval year to month";
    }
    return std::nullopt;
}

std::optional<std::string> timestamp_type(TypeReader& reader) {
    const std::vector<std::string> precision = reader.take_arguments();
    if (reader.take_token("with") && reader.take_token("local") && reader.take_token("time") &&
        reader.take_token("zone"))
        return with_arguments("timestamptz", precision);
    return std::nullopt;
}

/// Oracle counts binary digits up to 126; PostgreSQL has no binary type of more than 53.
std::optional<std::string> float_type(const std::vector<std::string>& arguments) {
    constexpr std::string_view kMostDigits = "53";
    if (arguments.size() != 1) return std::nullopt;
    const std::string& digits = arguments[0];
    const bool is_wider =
        digits.size() == kMostDigits.size() ? digits > kMostDigits : digits.size() == 3;
    if (!is_wider || digits.find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    return "float8";
}

std::optional<std::string> oracle_type(TypeReader& reader) {
    static constexpr std::array<std::pair<std::string_view, const char*>, 9> kPlain{{
        {"binary_double", "float8"},
        {"binary_float", "float4"},
        {"clob", "text"},
        {"nclob", "text"},
        {"blob", "bytea"},
        {"pls_integer", "integer"},
        {"binary_integer", "integer"},
        {"simple_integer", "integer"},
        {"xmltype", "xml"},
    }};
    for (const auto& [oracle, postgres] : kPlain)
        if (reader.take_token(oracle)) return postgres;
    if (reader.take_token("number")) return numeric_type(reader.take_arguments());
    if (reader.take_token("varchar2") || reader.take_token("nvarchar2") ||
        reader.take_token("varchar"))
        return character_type("varchar", reader.take_arguments());
    if (reader.take_token("char") || reader.take_token("nchar"))
        return character_type("char", reader.take_arguments());
    if (reader.take_token("raw")) {
        reader.take_arguments();  // bytea has no length
        return "bytea";
    }
    if (reader.take_token("long")) return reader.take_token("raw") ? "bytea" : "text";
    if (reader.take_token("timestamp")) return timestamp_type(reader);
    if (reader.take_token("interval")) return interval_type(reader);
    if (reader.take_token("float")) return float_type(reader.take_arguments());
    return std::nullopt;
}

}  // namespace

std::string postgres_type_name(std::string_view written) {
    TypeReader reader(written);
    std::optional<std::string> type = oracle_type(reader);
    const bool is_array = reader.sees("[") || reader.sees("array");
    if (!type || reader.is_malformed() || (!reader.at_end() && !is_array))
        return std::string(written);
    if (reader.sees("array")) *type += ' ';
    while (!reader.at_end()) *type += reader.take_any();
    return *std::move(type);
}

}  // namespace epe
