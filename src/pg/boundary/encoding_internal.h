// Conversions between the server's encoding and UTF-8, which all other code uses. Leaves.
#pragma once

#include <cstring>
#include <string>

extern "C" {
#include "postgres.h"

#include "mb/pg_wchar.h"
}

namespace epe::pg {

/// Server-encoded text as UTF-8: the same pointer if unchanged, else palloc'ed. `size` is in and
/// out.
inline const char* to_utf8(const char* text, std::size_t* size) noexcept {
    if (GetDatabaseEncoding() == PG_UTF8 || *size == 0) return text;
    char* converted = pg_server_to_any(text, static_cast<int>(*size), PG_UTF8);
    if (converted != text) *size = std::strlen(converted);
    return converted;
}

/// A borrowed or palloc'ed text, not terminated: what a leaf returns to code that may own memory.
struct TextView {
    const char* data;
    std::size_t size;

    std::string copy() const { return {data, size}; }
};

/// Server-encoded text as UTF-8, borrowed or palloc'ed.
inline TextView utf8_view(const char* text, std::size_t size) noexcept {
    TextView view{text, size};
    view.data = to_utf8(text, &view.size);
    return view;
}

/// UTF-8 as server-encoded text; as above. Raises for invalid UTF-8 and for characters that the
/// server's encoding lacks.
inline const char* from_utf8(const char* text, std::size_t* size) noexcept {
    if (*size == 0) return text;
    char* converted = pg_any_to_server(text, static_cast<int>(*size), PG_UTF8);
    if (converted != text) *size = std::strlen(converted);
    return converted;
}

/// The escape of a character that the server's encoding lacks.
enum class Escape {
    kText,        ///< as in Python: \u20ac, \U0001f600
    kJson,        ///< within JSON: \u20ac, \ud83d\ude00
    kTextInJson,  ///< within JSON, so that its reader gets kText: \\u20ac, \\U0001f600
};

/// The same, but characters that the server's encoding lacks are escaped. Raises for invalid UTF-8.
const char* from_utf8(const char* text, std::size_t* size, Escape escape) noexcept;

/// UTF-8 as server-encoded text for a message: the same pointer, or palloc'ed. Characters that the
/// server's encoding lacks are escaped, and invalid bytes become "?", so that the text of a message
/// cannot prevent it. Null stays null.
char* to_message(char* utf8) noexcept;

}  // namespace epe::pg
