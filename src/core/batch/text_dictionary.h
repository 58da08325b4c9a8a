// Collects distinct texts while reading; gives up early when there are too many.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/batch/batch.h"

namespace epe {

class TextDictionary {
   public:
    /// Code of the text, or -1 when memory is exhausted, -2 when the dictionary gives up.
    std::int32_t encode(const char* text, std::size_t size, Column& distinct) noexcept;
    void clear() noexcept;

   private:
    struct Slot {
        std::uint32_t tag;  // part of the hash, so that most other texts are not compared
        std::int32_t code;  // plus 1; 0: free
    };

    bool rehash(std::size_t slots, const Column& distinct) noexcept;

    Buffer slots_{};
    Buffer hashes_{};  // uint64 per code
    std::size_t mask_ = 0;
    std::int64_t encoded_ = 0;
};

}  // namespace epe
