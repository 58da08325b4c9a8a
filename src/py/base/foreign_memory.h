// Memory of a script's objects, read so that a wrong address is an error instead of a signal.
#pragma once

#include "core/batch/foreign_memory.h"

namespace epe::py {

/// Lets the kernel read the memory: a write to a pipe fails with EFAULT where a load would crash
/// the process. The pipe lives as long as the object.
class PipeMemory final : public ForeignMemory {
   public:
    PipeMemory();
    ~PipeMemory() override;
    PipeMemory(const PipeMemory&) = delete;
    PipeMemory& operator=(const PipeMemory&) = delete;

    bool copy(void* to, const void* from, std::size_t size) override;
    void check_interrupts() override;
    /// Whether all pages of the range can be read. Reads a byte of each.
    bool is_readable(const void* from, std::size_t size);

   private:
    void drain(void* to, std::size_t size);

    int ends_[2] = {-1, -1};
};

}  // namespace epe::py
