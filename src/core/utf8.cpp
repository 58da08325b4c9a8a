// Strict UTF-8, as PostgreSQL's texts must be.
#include "core/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace epe {

namespace {

bool is_between(unsigned char byte, unsigned char first, unsigned char last) noexcept {
    return byte >= first && byte <= last;
}

/// Length (2 to 4) of the multibyte character at `at`, 0 if invalid. Unicode's table of well-formed
/// byte sequences: only the second byte's range depends on the first.
std::size_t character_size(const unsigned char* at, std::size_t left) noexcept {
    const unsigned char lead = at[0];
    if (is_between(lead, 0xC2, 0xDF)) return left >= 2 && is_between(at[1], 0x80, 0xBF) ? 2 : 0;
    if (is_between(lead, 0xE0, 0xEF)) {
        const unsigned char first = lead == 0xE0 ? 0xA0 : 0x80;  // overlong below
        const unsigned char last = lead == 0xED ? 0x9F : 0xBF;   // surrogates above
        return left >= 3 && is_between(at[1], first, last) && is_between(at[2], 0x80, 0xBF) ? 3 : 0;
    }
    if (is_between(lead, 0xF0, 0xF4)) {
        const unsigned char first = lead == 0xF0 ? 0x90 : 0x80;  // overlong below
        const unsigned char last = lead == 0xF4 ? 0x8F : 0xBF;   // above U+10FFFF
        return left >= 4 && is_between(at[1], first, last) && is_between(at[2], 0x80, 0xBF) &&
                       is_between(at[3], 0x80, 0xBF)
                   ? 4
                   : 0;
    }
    return 0;
}

/// True for eight bytes of ASCII, none of them 0.
bool is_plain_word(std::uint64_t word) noexcept {
    constexpr std::uint64_t kHighBits = 0x8080808080808080U;
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    return ((word | (word - kOnes)) & kHighBits) == 0;
}

/// `kLeast` is the least ASCII character.
template <unsigned char kLeast>
bool is_text(std::string_view text) noexcept {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t left = text.size();
    while (left > 0) {
        if (left >= sizeof(std::uint64_t)) {
            std::uint64_t word;
            std::memcpy(&word, at, sizeof(word));
            if (is_plain_word(word)) {
                at += sizeof(word);
                left -= sizeof(word);
                continue;
            }
        }
        // Byte by byte up to the end of these eight bytes, else each would be checked eight times.
        for (int i = 0; i < 8 && left > 0; ++i) {
            const std::size_t size = is_between(*at, kLeast, 0x7F) ? 1 : character_size(at, left);
            if (size == 0) return false;
            at += size;
            left -= size;
        }
    }
    return true;
}

}  // namespace

bool is_clean_utf8(std::string_view text) noexcept { return is_text<1>(text); }

bool is_utf8(std::string_view text) noexcept { return is_text<0>(text); }

}  // namespace epe
