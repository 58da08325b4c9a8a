// Texts between the server's encoding and the UTF-8 of the rest of the house. Leaves.
#pragma once

#include <cstring>

extern "C" {
#include "postgres.h"

#include "mb/pg_wchar.h"
}

namespace epe::pg {

/// Bytes of server-encoded text as UTF-8: the same pointer when nothing had to change, else
/// palloc'ed. `size` is in and out.
inline const char* to_utf8(const char* text, std::size_t* size) noexcept {
    if (GetDatabaseEncoding() == PG_UTF8 || *size == 0) return text;
    char* converted = pg_server_to_any(text, static_cast<int>(*size), PG_UTF8);
    if (converted != text) *size = std::strlen(converted);
    return converted;
}

/// UTF-8 as server-encoded text; as above. Raises for invalid UTF-8 and for characters that the
/// server's encoding lacks.
inline const char* from_utf8(const char* text, std::size_t* size) noexcept {
    if (*size == 0) return text;
    char* converted = pg_any_to_server(text, static_cast<int>(*size), PG_UTF8);
    if (converted != text) *size = std::strlen(converted);
    return converted;
}

/// How a character that the server's encoding lacks is written.
enum class Escape {
    kText,        ///< as in Python: \u20ac, \U0001f600
    kJson,        ///< within JSON: \u20ac, \ud83d\ude00
    kTextInJson,  ///< within JSON, so that its reader gets kText: \\u20ac, \\U0001f600
};

/// The same, but characters that the server's encoding lacks are escaped. Raises for invalid UTF-8.
const char* from_utf8(const char* text, std::size_t* size, Escape escape) noexcept;

/// UTF-8 as server-encoded text for a message: the same pointer, or palloc'ed. Characters that the
/// server's encoding lacks are escaped, and invalid bytes become "?", so that no message is lost to
/// its own text. Null stays null.
char* to_message(char* utf8) noexcept;

}  // namespace epe::pg
