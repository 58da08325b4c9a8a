// Parses values in PostgreSQL's text form, with dates and times in style ISO.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace epe::gateway {

// nullopt: malformed text, or a value that the type cannot represent (infinity, NaN).

/// Days since 1970-01-01.
std::optional<std::int32_t> days_of(std::string_view text);
/// Microseconds since 1970-01-01 00:00, in UTC if the text has a time zone.
std::optional<std::int64_t> microseconds_of(std::string_view text);
/// The digits of a numeric(p,s) without the decimal point, as a 128-bit number.
std::optional<__int128> decimal_of(std::string_view text, int scale);
/// The bytes of a bytea in hex, "\x89504e...".
std::optional<std::string> bytes_of(std::string_view text);

}  // namespace epe::gateway
