// Cancels work of this process for a requester that has disconnected.
#pragma once

#include "core/pipeline/host.h"

namespace epe::pg {

/// From begin() to end(), this process checks a few times per second whether the requester is still
/// connected. If not, the current statement is cancelled, as by a user: PgError 57014, repeatedly
/// until end(). Watches nest like the calls that they belong to.
class RequesterWatch {
   public:
    RequesterWatch() = default;
    RequesterWatch(const RequesterWatch&) = delete;
    RequesterWatch& operator=(const RequesterWatch&) = delete;

    /// Borrows the requester.
    void begin(const Requester& requester);
    void end() noexcept;

   private:
    static void look() noexcept;

    const Requester* requester_ = nullptr;
    RequesterWatch* outer_ = nullptr;
};

}  // namespace epe::pg
