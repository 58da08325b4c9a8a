// Reads the members of a JSON object in one pass, without building a tree of its contents.
#include "core/request/control_json.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"

namespace epe {
namespace {

/// Turns the parser's message into a sentence for DETAIL: without its internal code, and in ASCII,
/// since it quotes its input up to a byte that may be in the middle of a character.
std::string describe_parse_error(std::string text) {
    constexpr std::string_view kQuoted = "; last read: '";
    constexpr std::string_view kExpected = "; expected ";
    constexpr std::size_t kLongestQuote = 80;

    if (text.starts_with('[')) {
        const std::size_t end = text.find("] ");
        if (end != std::string::npos) text.erase(0, end + 2);
    }
    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    const std::size_t quoted = text.find(kQuoted);
    if (quoted != std::string::npos) {
        const std::size_t expected = text.rfind(kExpected);
        const bool has_expected = expected != std::string::npos && expected > quoted;
        const std::size_t end = has_expected ? expected : text.size();
        const bool is_long = end - quoted > kLongestQuote;
        if (is_long || !std::all_of(text.begin(), text.end(), is_ascii))
            text.erase(quoted, end - quoted);
    }
    for (char& c : text)
        if (!is_ascii(c)) c = '?';
    if (!text.empty())
        text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text + ".";
}

const char* describe_kind(JsonKind kind) {
    switch (kind) {
        case JsonKind::kNull:
            return "null";
        case JsonKind::kBool:
            return "a boolean";
        case JsonKind::kNumber:
            return "a number";
        case JsonKind::kString:
            return "a string";
        case JsonKind::kArray:
            return "an array";
        case JsonKind::kObject:
            return "an object";
    }
    return "something else";
}

/// Writes JSON without white space, every value followed by a comma. Numbers keep their digits.
class JsonWriter {
   public:
    std::string text{};

    void write(std::string_view literal) { (text += literal) += ','; }
    void write_number(std::string_view digits) {
        // The parser's text has the decimal point of the C locale, which a script may have set.
        constexpr std::string_view kOfNumbers = "0123456789+-eE";
        for (const char c : digits) text += kOfNumbers.find(c) == std::string_view::npos ? '.' : c;
        text += ',';
    }
    void write_string(std::string_view value) {
        write_quoted(value);
        text += ',';
    }
    void write_key(std::string_view key) {
        write_quoted(key);
        text += ':';
    }
    void open(char bracket) { text += bracket; }
    void close(char bracket) {
        if (text.back() == ',')
            text.back() = bracket;
        else
            text += bracket;  // it is empty
        text += ',';
    }

   private:
    void write_quoted(std::string_view value) {
        const bool is_plain = std::none_of(value.begin(), value.end(), [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
        });
        if (is_plain)
            ((text += '"') += value) += '"';
        else
            text += nlohmann::json(value).dump();
    }
};

/// Listens to the parser and splits the members of the outermost object.
class MemberCollector final : public nlohmann::json_sax<nlohmann::json> {
   public:
    MemberCollector(MemberUse (*use_of)(std::string_view) noexcept, std::size_t most_depth,
                    JsonFault& fault)
        : use_of_(use_of), most_depth_(most_depth), fault_(fault) {}

    bool null() override {
        if (is_text()) writer_.write("null");
        return add_value({});
    }
    bool boolean(bool value) override {
        if (is_text()) writer_.write(value ? "true" : "false");
        return add_value({.kind = JsonKind::kBool, .boolean = value});
    }
    bool number_integer(number_integer_t value) override {
        return add_number(static_cast<double>(value), std::to_string(value));
    }
    bool number_unsigned(number_unsigned_t value) override {
        return add_number(static_cast<double>(value), std::to_string(value));
    }
    bool number_float(number_float_t value, const string_t& text) override {
        return add_number(value, text);
    }
    bool string(string_t& value) override {
        if (is_text()) writer_.write_string(value);
        if (!is_value()) return note_outermost(JsonKind::kString);
        return add_value({.kind = JsonKind::kString, .text = std::move(value)});
    }
    bool binary(binary_t& /* value */) override { return false; }  // not in textual JSON
    bool start_object(std::size_t /* size */) override { return open(JsonKind::kObject, '{'); }
    bool start_array(std::size_t /* size */) override { return open(JsonKind::kArray, '['); }
    bool end_object() override { return close('}'); }
    bool end_array() override { return close(']'); }
    bool key(string_t& value) override {
        if (depth_ == 1) {
            use_ = use_of_(value);
            start_ = writer_.text.size();
        }
        if (is_text()) writer_.write_key(value);
        if (depth_ == 1) key_ = std::move(value);
        return true;
    }
    bool parse_error(std::size_t position, const std::string& /* last_token */,
                     const nlohmann::detail::exception& error) override {
        constexpr int kNumberOutOfRange = 406;
        fault_.kind =
            error.id == kNumberOutOfRange ? JsonFault::Kind::kNumber : JsonFault::Kind::kSyntax;
        fault_.message = error.what();
        fault_.byte = position;
        return false;
    }

    JsonKind outermost() const noexcept { return outermost_; }
    SplitJson release() noexcept { return {std::move(values_), std::move(writer_.text)}; }

   private:
    bool is_value() const noexcept {
        return depth_ == 1 && is_object() && use_ != MemberUse::kText;
    }
    bool is_text() const noexcept { return depth_ > 0 && is_object() && use_ != MemberUse::kValue; }
    bool is_object() const noexcept { return outermost_ == JsonKind::kObject; }

    bool note_outermost(JsonKind kind) noexcept {
        if (depth_ == 0) outermost_ = kind;
        return true;
    }
    /// A value; its text has been written.
    bool add_value(JsonMember member) {
        const JsonKind kind = member.kind;
        if (is_value()) {
            member.key = std::move(key_);
            member.text_start = start_;
            member.text_end = writer_.text.size();
            values_.push_back(std::move(member));
        }
        return note_outermost(kind);
    }
    bool add_number(double value, std::string_view digits) {
        if (is_text()) writer_.write_number(digits);
        return add_value({.kind = JsonKind::kNumber, .number = value});
    }
    bool open(JsonKind kind, char bracket) {
        if (most_depth_ > 0 && depth_ >= most_depth_) {
            fault_.kind = JsonFault::Kind::kDepth;
            return false;
        }
        if (is_text()) writer_.open(bracket);
        add_value({.kind = kind});
        ++depth_;
        return true;
    }
    bool close(char bracket) {
        if (depth_ > 1 && is_text()) writer_.close(bracket);
        --depth_;
        if (depth_ == 1 && is_value() && !values_.empty())
            values_.back().text_end = writer_.text.size();
        return true;
    }

    MemberUse (*use_of_)(std::string_view) noexcept;
    std::size_t most_depth_;
    JsonFault& fault_;
    std::vector<JsonMember> values_{};
    JsonWriter writer_{};
    std::string key_{};
    std::size_t depth_ = 0;
    std::size_t start_ = 0;  ///< of the member's text
    JsonKind outermost_ = JsonKind::kNull;
    MemberUse use_ = MemberUse::kText;
};

}  // namespace

std::optional<SplitJson> split_json_text(std::string_view text,
                                         MemberUse (*use_of)(std::string_view key) noexcept,
                                         std::size_t most_depth, JsonFault& fault) {
    MemberCollector collector(use_of, most_depth, fault);
    if (!nlohmann::json::sax_parse(text, &collector)) return std::nullopt;
    if (collector.outermost() == JsonKind::kObject) return collector.release();
    fault.kind = JsonFault::Kind::kNoObject;
    fault.outermost = collector.outermost();
    return std::nullopt;
}

SplitJson split_json_object(const std::string& text, const char* argument,
                            MemberUse (*use_of)(std::string_view key) noexcept) {
    JsonFault fault;
    std::optional<SplitJson> split = split_json_text(text, use_of, 0, fault);
    if (split) return *std::move(split);
    const bool is_json = fault.kind == JsonFault::Kind::kNoObject;
    ErrorReport report;
    report.sqlstate = sqlstate::kInvalidArgument;
    report.message = is_json ? "argument \"" + std::string(argument) + "\" must be a JSON object"
                             : "invalid JSON in argument \"" + std::string(argument) + "\"";
    report.detail = is_json ? "It is " + std::string(describe_kind(fault.outermost)) + "."
                            : describe_parse_error(std::move(fault.message));
    throw Error(std::move(report));
}

std::vector<JsonMember> read_json_object(const std::string& text, const char* argument) {
    const auto use_of = [](std::string_view) noexcept { return MemberUse::kValue; };
    return split_json_object(text, argument, use_of).values;
}

}  // namespace epe
