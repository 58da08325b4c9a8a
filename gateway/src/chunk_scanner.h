// Bodies in chunks that others might read in another way.
#pragma once

#include <cstdint>
#include <string_view>

namespace epe::gateway {

/// Looks at a body in chunks (RFC 9112, section 7.1) before httplib does, which takes a size with a
/// sign, spaces or "0x", a line that ends by a line feed alone, and anything behind a chunk. A
/// proxy in front that reads it otherwise could be made to see one request where we see two.
/// Trailers are refused: nobody here reads them.
class ChunkScanner {
   public:
    /// The next bytes of the body. False: it is none that everybody reads alike. Then it stays
    /// false.
    bool take(std::string_view bytes);
    /// Whether the last chunk and the line behind it have been taken.
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
    char awaited_ = '\r';     // of the line end at kDataEnd and kLastEnd
    std::uint64_t left_ = 0;  // bytes of the chunk
};

}  // namespace epe::gateway
