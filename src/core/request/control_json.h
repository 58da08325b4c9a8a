// Reads the members of a JSON object from the text of an SQL argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epe {

enum class JsonKind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

/// One member of a JSON object. The contents of arrays and objects are checked, not kept.
struct JsonMember {
    std::string key{};
    JsonKind kind = JsonKind::kNull;
    bool boolean = false;
    double number = 0;
    std::string text{};  ///< of a string, with escapes resolved
    /// With MemberUse::kBoth: its text in SplitJson::others.
    std::size_t text_start = 0;
    std::size_t text_end = 0;
};

/// What a member of the outermost object becomes.
enum class MemberUse : std::uint8_t { kValue, kText, kBoth };

/// The members of a JSON object, read in one pass.
struct SplitJson {
    std::vector<JsonMember> values{};  ///< in their order; repeated keys are all returned
    /// The others, each as `"key":value,` with the comma. Numbers keep their digits.
    std::string others{};
};

/// Splits an object. Throws Error 22023, naming the SQL argument, when the text is not valid JSON
/// or not an object.
SplitJson split_json_object(const std::string& text, const char* argument,
                            MemberUse (*use_of)(std::string_view key) noexcept);

/// Why a text is not such an object.
struct JsonFault {
    enum class Kind : std::uint8_t { kSyntax, kNumber, kDepth, kNoObject };
    Kind kind = Kind::kSyntax;
    std::string message{};                 ///< the parser's
    std::size_t byte = 0;                  ///< from 1, of a syntax error
    JsonKind outermost = JsonKind::kNull;  ///< of kNoObject
};

/// The same without an Error: nullopt with `fault` for other texts, and for an object with more
/// than `most_depth` levels (0: no limit).
std::optional<SplitJson> split_json_text(std::string_view text,
                                         MemberUse (*use_of)(std::string_view key) noexcept,
                                         std::size_t most_depth, JsonFault& fault);

/// All members as values.
std::vector<JsonMember> read_json_object(const std::string& text, const char* argument);

}  // namespace epe
