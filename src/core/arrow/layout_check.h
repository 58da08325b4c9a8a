// Layout checks shared by the batches of engines and the arrays of Arrow libraries.
#pragma once

#include <cstdint>

#include "core/batch/buffer.h"

namespace epe {

/// Whether the buffer holds `count` values of `width` bytes; no product overflows.
inline bool has_room(const Buffer& buffer, std::int64_t count, std::size_t width) noexcept {
    return count >= 0 && (width == 0 || static_cast<std::size_t>(count) <= buffer.size() / width);
}

/// Whether `count` + 1 offsets begin at `least` or above, never decrease, and end at `most` or
/// below.
template <typename Offset>
bool are_offsets(const Offset* ends, std::int64_t count, std::int64_t least,
                 std::int64_t most) noexcept {
    bool is_ascending = true;  // branch-free, so that the loop is vectorised
    for (std::int64_t row = 0; row < count; ++row) is_ascending &= ends[row] <= ends[row + 1];
    return is_ascending && ends[0] >= least && ends[count] <= most;
}

/// Whether every code is at least `least` and below `end`.
template <typename Code>
bool are_codes(const Code* codes, std::int64_t count, std::int64_t least,
               std::int64_t end) noexcept {
    bool is_in_range = true;
    for (std::int64_t row = 0; row < count; ++row) {
        if constexpr (sizeof(Code) == sizeof(std::int64_t) && Code(-1) > Code(0))
            is_in_range &= codes[row] < static_cast<Code>(end);
        else
            is_in_range &= codes[row] >= static_cast<std::int64_t>(least) &&
                           static_cast<std::int64_t>(codes[row]) < end;
    }
    return is_in_range;
}

/// Whether `at` is not within a character of UTF-8 that begins before it.
inline bool is_character_start(const char* bytes, std::int64_t at, std::int64_t size) noexcept {
    return at == size || (static_cast<unsigned char>(bytes[at]) & 0xC0U) != 0x80U;
}

/// Whether no value begins within a character. The bytes as a whole are UTF-8, the offsets within.
template <typename Offset>
bool are_character_starts(const char* bytes, std::int64_t size, const Offset* ends,
                          std::int64_t count) noexcept {
    for (std::int64_t row = 0; row < count; ++row)
        if (!is_character_start(bytes, ends[row], size)) return false;
    return true;
}

}  // namespace epe
