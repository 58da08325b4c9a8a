// UTF-8 on its way into messages.
#include "pg/boundary/encoding_internal.h"

extern "C" {
#include "catalog/namespace.h"
#include "utils/memutils.h"
}

namespace epe::pg {

char* to_message(char* utf8) noexcept {
    const int encoding = GetDatabaseEncoding();
    if (utf8 == nullptr || encoding == PG_UTF8 || encoding == PG_SQL_ASCII) return utf8;
    std::size_t size = std::strlen(utf8);
    bool is_ascii = true;
    for (std::size_t i = 0; i < size; ++i) is_ascii = is_ascii && (utf8[i] & 0x80) == 0;
    if (is_ascii) return utf8;
#if PG_VERSION_NUM >= 140000
    const Oid conversion = FindDefaultConversionProc(PG_UTF8, encoding);
    const std::size_t room = size * MAX_CONVERSION_GROWTH + 1;
    if (OidIsValid(conversion) && room < MaxAllocSize) {
        auto* converted = static_cast<unsigned char*>(palloc(room));
        const int done = pg_do_encoding_conversion_buf(
            conversion, PG_UTF8, encoding, reinterpret_cast<unsigned char*>(utf8),
            static_cast<int>(size), converted, static_cast<int>(room), true);
        if (done == static_cast<int>(size)) return reinterpret_cast<char*>(converted);
    }
#endif
    for (std::size_t i = 0; i < size; ++i)
        if ((utf8[i] & 0x80) != 0) utf8[i] = '?';
    return utf8;
}

}  // namespace epe::pg
