// Memory at addresses that another library or a script names, and which may not be there.
#pragma once

#include <cstddef>

namespace epe {

/// Reads memory that need not be mapped, without a signal.
class ForeignMemory {
   public:
    virtual ~ForeignMemory() = default;
    /// Copies `size` bytes; false when one of them cannot be read.
    virtual bool copy(void* to, const void* from, std::size_t size) = 0;
    /// Throws when the work must stop. Called between the pieces of a long copy.
    virtual void check_interrupts() = 0;
};

}  // namespace epe
