// Cancels work of this process for a requester that has disconnected.
#pragma once

#include "core/pipeline/host.h"

namespace epe::pg {

/// From begin() to end(), this process checks a few times per second whether the requester is still
/// connected. If not, the current statement is cancelled, as by a user: PgError 57014, repeatedly
/// until end(). Watches nest like the calls that they belong to.
class AskerWatch {
   public:
    AskerWatch() = default;
    AskerWatch(const AskerWatch&) = delete;
    AskerWatch& operator=(const AskerWatch&) = delete;

    /// Borrows the requester.
    void begin(const Asker& asker);
    void end() noexcept;

   private:
    static void look() noexcept;

    const Asker* asker_ = nullptr;
    AskerWatch* outer_ = nullptr;
};

}  // namespace epe::pg
