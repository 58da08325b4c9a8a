// Memory at addresses supplied by another library or a script, which may not be mapped.
#pragma once

#include <cstddef>

namespace epe {

/// Reads memory that may be unmapped, without raising a signal.
class ForeignMemory {
   public:
    virtual ~ForeignMemory() = default;
    /// Copies `size` bytes; false when any of them cannot be read.
    virtual bool copy(void* to, const void* from, std::size_t size) = 0;
    /// Called between the pieces of a long copy; throws when the operation must stop.
    virtual void check_interrupts() = 0;
};

}  // namespace epe
