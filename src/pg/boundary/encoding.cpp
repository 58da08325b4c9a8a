// Converts UTF-8 to the server's encoding; characters that it lacks are escaped.
#include "pg/boundary/encoding.h"

#include <algorithm>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"

extern "C" {
#include "catalog/namespace.h"
#include "lib/stringinfo.h"
}

namespace epe::pg {

namespace {

bool is_ascii(const char* text, std::size_t size) noexcept {
    return std::none_of(text, text + size, [](char c) { return (c & 0x80) != 0; });
}

/// Length of a character in bytes; 0 if it is not valid UTF-8.
int length_at(const char* text, const char* end) noexcept {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text);
    const int length = pg_utf_mblen(bytes);
    return length <= end - text && pg_utf8_islegal(bytes, length) ? length : 0;
}

void append_escape(StringInfo to, const char* character, Escape escape) noexcept {
    constexpr pg_wchar kFirstWithSurrogates = 0x10000;
    const pg_wchar code = utf8_to_unicode(reinterpret_cast<const unsigned char*>(character));
    if (escape == Escape::kTextInJson) appendStringInfoChar(to, '\\');
    if (code < kFirstWithSurrogates)
        appendStringInfo(to, "\\u%04x", code);
    else if (escape == Escape::kJson)
        appendStringInfo(to, "\\u%04x\\u%04x", 0xd800 + ((code - kFirstWithSurrogates) >> 10),
                         0xdc00 + ((code - kFirstWithSurrogates) & 0x3ff));
    else
        appendStringInfo(to, "\\U%08x", code);
}

/// Appends the part of a text before the first character that cannot be converted; returns the size
/// of that part.
std::size_t append_converted(StringInfo to, const char* text, std::size_t size) noexcept {
    const Oid conversion = FindDefaultConversionProc(PG_UTF8, GetDatabaseEncoding());
    if (!OidIsValid(conversion)) return 0;
    const int room = static_cast<int>(size) * MAX_CONVERSION_GROWTH + 1;
    enlargeStringInfo(to, room);
    auto* source = reinterpret_cast<unsigned char*>(const_cast<char*>(text));
    auto* end = reinterpret_cast<unsigned char*>(to->data + to->len);
    const int done =
        pg_do_encoding_conversion_buf(conversion, PG_UTF8, GetDatabaseEncoding(), source,
                                      static_cast<int>(size), end, room, /* noError */ true);
    to->len += static_cast<int>(std::strlen(to->data + to->len));
    return static_cast<std::size_t>(done);
}

/// The size of the first part of a text, which does not end within a character.
std::size_t part_size(const char* text, std::size_t size) noexcept {
    constexpr std::size_t kMost = 8192;
    constexpr std::size_t kLongestCharacter = 4;
    if (size <= kMost) return size;
    std::size_t part = kMost;
    while (part > kMost - kLongestCharacter && (text[part] & 0xc0) == 0x80) --part;
    return part;
}

char* convert(const char* text, std::size_t* size, Escape escape, bool replaces_invalid) noexcept {
    StringInfoData converted;
    initStringInfo(&converted);
    const char* const end = text + *size;
    while (text < end) {
        const std::size_t part = part_size(text, static_cast<std::size_t>(end - text));
        const std::size_t done = append_converted(&converted, text, part);
        text += done;
        if (done == part) continue;
        const int length = length_at(text, end);
        if (length > 0)
            append_escape(&converted, text, escape);
        else if (replaces_invalid)
            appendStringInfoChar(&converted, '?');
        else
            report_invalid_encoding(PG_UTF8, text, static_cast<int>(end - text));
        text += std::max(length, 1);
    }
    *size = static_cast<std::size_t>(converted.len);
    return converted.data;
}

}  // namespace

const char* from_utf8(const char* text, std::size_t* size, Escape escape) noexcept {
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII) return from_utf8(text, size);
    if (is_ascii(text, *size)) return text;
    return convert(text, size, escape, /* replaces_invalid */ false);
}

char* to_message(char* utf8) noexcept {
    const int encoding = GetDatabaseEncoding();
    if (utf8 == nullptr || encoding == PG_UTF8 || encoding == PG_SQL_ASCII) return utf8;
    std::size_t size = std::strlen(utf8);
    if (is_ascii(utf8, size)) return utf8;
    return convert(utf8, &size, Escape::kText, /* replaces_invalid */ true);
}

std::string storable(const std::string& utf8) {
    struct View {
        const char* data;
        std::size_t size;
    };
    const View given{utf8.data(), utf8.size()};
    const View view = guarded([given]() noexcept {
        View text = given;
        text.data = from_utf8(text.data, &text.size, Escape::kText);
        text.data = to_utf8(text.data, &text.size);
        return text;
    });
    return {view.data, view.size};
}

}  // namespace epe::pg
