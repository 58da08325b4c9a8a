// Parses and writes JSON.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace epe::gateway {

using Json = nlohmann::ordered_json;

/// Maximum nesting of arrays and objects: deep enough for requests, too shallow to overflow the
/// stack.
constexpr int kDeepestJson = 100;

/// Parses a JSON text. Throws ApiError 400 if it is not JSON, not UTF-8 or nested too deeply;
/// `what` names the text in messages: "the request body".
Json parse_json(std::string_view text, const std::string& what);

/// Its errors, for JSON that is parsed otherwise.
[[noreturn]] void throw_invalid_json(const std::string& what, std::size_t byte);
[[noreturn]] void throw_deep_json(const std::string& what);
[[noreturn]] void throw_large_number(const std::string& what);

/// Serializes a value; bytes that are not UTF-8 become U+FFFD.
std::string to_text(const Json& value);

}  // namespace epe::gateway
