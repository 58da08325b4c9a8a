#include "chunk_scanner.h"

#include <algorithm>

namespace epe::gateway {

namespace {

constexpr unsigned kNoDigit = 16;

unsigned hex_digit(char byte) {
    if (byte >= '0' && byte <= '9') return static_cast<unsigned>(byte - '0');
    const char lower = static_cast<char>(byte | 0x20);
    if (lower >= 'a' && lower <= 'f') return static_cast<unsigned>(lower - 'a' + 10);
    return kNoDigit;
}

/// Whether the byte may occur in a chunk extension: no control characters, which some parsers treat
/// as the end of the line.
bool is_visible(char byte) { return byte == '\t' || (byte >= ' ' && byte != 0x7F) || byte < 0; }

}  // namespace

bool ChunkScanner::take(std::string_view bytes) {
    while (!bytes.empty() && place_ != Place::kBad) {
        if (place_ != Place::kData) {
            place_ = step(bytes.front());
            bytes.remove_prefix(1);
            continue;
        }
        const std::uint64_t size = std::min<std::uint64_t>(left_, bytes.size());
        left_ -= size;
        bytes.remove_prefix(size);
        if (left_ == 0) place_ = Place::kDataEnd;
    }
    return place_ != Place::kBad;
}

/// After the digits of a size, or after the whitespace that may follow them.
ChunkScanner::Place ChunkScanner::end_of_size(char byte) const {
    if (!has_digit_) return Place::kBad;
    if (byte == ';') return Place::kExtension;
    if (byte == ' ' || byte == '\t') return Place::kSpace;
    return byte == '\r' && place_ == Place::kSize ? Place::kSizeEnd : Place::kBad;
}

ChunkScanner::Place ChunkScanner::step(char byte) {
    switch (place_) {
        case Place::kSize: {
            const unsigned digit = hex_digit(byte);
            if (digit == kNoDigit) return end_of_size(byte);
            has_digit_ = true;
            constexpr unsigned kTopDigit = 60;
            if (left_ >> kTopDigit != 0) return Place::kBad;
            left_ = left_ << 4U | digit;
            return Place::kSize;
        }
        case Place::kSpace:
            return end_of_size(byte);
        case Place::kExtension:
            if (byte == '\r') return Place::kSizeEnd;
            return is_visible(byte) ? Place::kExtension : Place::kBad;
        case Place::kSizeEnd:
            if (byte != '\n') return Place::kBad;
            has_digit_ = false;
            return left_ == 0 ? Place::kLastEnd : Place::kData;
        case Place::kDataEnd:
        case Place::kLastEnd: {
            if (byte != awaited_) return Place::kBad;
            awaited_ = byte == '\r' ? '\n' : '\r';
            if (byte == '\r') return place_;
            return place_ == Place::kDataEnd ? Place::kSize : Place::kDone;
        }
        case Place::kData:  // handled by take()
        case Place::kDone:
        case Place::kBad:
            break;
    }
    return Place::kBad;
}

}  // namespace epe::gateway
