// Strict check of chunked bodies, against request smuggling.
#pragma once

#include <cstdint>
#include <string_view>

namespace epe::gateway {

/// Checks a chunked body (RFC 9112, section 7.1) before httplib parses it. httplib accepts a size
/// with a sign, spaces or "0x", a line that ends with a line feed alone, and any data after a
/// chunk. If a proxy in front parsed such a body differently, the proxy and the gateway would see
/// different requests. Trailers are rejected: the gateway does not use them.
class ChunkScanner {
   public:
    /// Consumes the next bytes of the body. False if the body is malformed or ambiguous; every
    /// further call then returns false.
    bool take(std::string_view bytes);
    /// Whether the last chunk and its closing line have been consumed.
    bool is_done() const { return place_ == Place::kDone; }

   private:
    enum class Place {
        kSize,
        kSpace,
        kExtension,
        kSizeEnd,
        kData,
        kDataEnd,
        kLastEnd,
        kDone,
        kBad
    };

    Place step(char byte);
    Place end_of_size(char byte) const;

    Place place_ = Place::kSize;
    bool has_digit_ = false;
    char awaited_ = '\r';     // expected line ending byte at kDataEnd and kLastEnd
    std::uint64_t left_ = 0;  // remaining bytes of the chunk
};

}  // namespace epe::gateway
