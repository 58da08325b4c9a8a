// Reads the members of a JSON object from the text of an SQL argument.
#pragma once

#include <cstdint>
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
};

/// The members whose key begins with `prefix`, in their order; repeated keys are all returned.
/// Throws Error 22023, naming the SQL argument, when the text is not valid JSON or not an object.
std::vector<JsonMember> read_json_object(const std::string& text, const char* argument,
                                         std::string_view prefix = {});

}  // namespace epe
