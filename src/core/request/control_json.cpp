// Reads the members of a JSON object without building a tree of its contents.
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

/// Listens to the parser and keeps the wanted members of the outermost object.
class MemberCollector final : public nlohmann::json_sax<nlohmann::json> {
   public:
    explicit MemberCollector(std::string_view prefix) : prefix_(prefix) {}

    bool null() override { return take({}); }
    bool boolean(bool value) override { return take({.kind = JsonKind::kBool, .boolean = value}); }
    bool number_integer(number_integer_t value) override {
        return take_number(static_cast<double>(value));
    }
    bool number_unsigned(number_unsigned_t value) override {
        return take_number(static_cast<double>(value));
    }
    bool number_float(number_float_t value, const string_t& /* text */) override {
        return take_number(value);
    }
    bool string(string_t& value) override {
        if (!is_wanted()) return note(JsonKind::kString);
        return take({.kind = JsonKind::kString, .text = std::move(value)});
    }
    bool binary(binary_t& /* value */) override { return false; }  // not in textual JSON
    bool start_object(std::size_t /* size */) override { return enter(JsonKind::kObject); }
    bool start_array(std::size_t /* size */) override { return enter(JsonKind::kArray); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }
    bool key(string_t& value) override {
        if (depth_ == 1) {
            is_wanted_ = value.starts_with(prefix_);
            key_ = std::move(value);
        }
        return true;
    }
    bool parse_error(std::size_t /* position */, const std::string& /* last_token */,
                     const nlohmann::detail::exception& error) override {
        problem_ = error.what();
        return false;
    }

    JsonKind outermost() const noexcept { return outermost_; }
    const std::string& problem() const noexcept { return problem_; }
    std::vector<JsonMember> release() noexcept { return std::move(members_); }

   private:
    bool is_wanted() const noexcept { return depth_ == 1 && is_wanted_; }
    bool note(JsonKind kind) noexcept {
        if (depth_ == 0) outermost_ = kind;
        return true;
    }
    bool take(JsonMember member) {
        note(member.kind);
        if (is_wanted()) {
            member.key = std::move(key_);
            members_.push_back(std::move(member));
        }
        return true;
    }
    bool take_number(double value) { return take({.kind = JsonKind::kNumber, .number = value}); }
    bool enter(JsonKind kind) {
        take({.kind = kind});
        if (depth_ == 0) is_wanted_ = false;  // members of an outermost array have no keys
        ++depth_;
        return true;
    }
    bool leave() noexcept {
        --depth_;
        return true;
    }

    std::string_view prefix_;
    std::vector<JsonMember> members_{};
    std::string key_{};
    std::string problem_{};
    std::size_t depth_ = 0;
    JsonKind outermost_ = JsonKind::kNull;
    bool is_wanted_ = false;
};

}  // namespace

std::vector<JsonMember> read_json_object(const std::string& text, const char* argument,
                                         std::string_view prefix) {
    MemberCollector collector(prefix);
    if (!nlohmann::json::sax_parse(text, &collector)) {
        ErrorReport report;
        report.sqlstate = sqlstate::kInvalidArgument;
        report.message = "invalid JSON in argument \"" + std::string(argument) + "\"";
        report.detail = describe_parse_error(collector.problem());
        throw Error(std::move(report));
    }
    if (collector.outermost() != JsonKind::kObject) {
        ErrorReport report;
        report.sqlstate = sqlstate::kInvalidArgument;
        report.message = "argument \"" + std::string(argument) + "\" must be a JSON object";
        report.detail = "It is " + std::string(describe_kind(collector.outermost())) + ".";
        throw Error(std::move(report));
    }
    return collector.release();
}

}  // namespace epe
