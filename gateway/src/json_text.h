// JSON that came from outside, and JSON that goes out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace epe::gateway {

using Json = nlohmann::ordered_json;

/// Arrays and objects within each other; nobody's request needs more, and no recursion overflows.
constexpr int kDeepestJson = 100;

/// The JSON value in a text. Throws ApiError 400 for what is no JSON, no UTF-8 or too deep; `what`
/// names the text: "the request body".
Json parse_json(std::string_view text, const std::string& what);

/// The text of a value; bytes that are no UTF-8 become U+FFFD.
std::string to_text(const Json& value);

}  // namespace epe::gateway
