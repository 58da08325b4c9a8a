// Cancels what this process does for somebody who has gone meanwhile.
#pragma once

#include "core/pipeline/host.h"

namespace epe::pg {

/// From begin() to end() this process looks a few times a second whether the asker is still there.
/// When it is not, whatever runs is cancelled, as by a user: PgError 57014, again and again until
/// end(). Watches nest as the calls do that they are for; each is begun and ended by turns.
class AskerWatch {
   public:
    AskerWatch() = default;
    AskerWatch(const AskerWatch&) = delete;
    AskerWatch& operator=(const AskerWatch&) = delete;

    /// Borrows the asker.
    void begin(const Asker& asker);
    void end() noexcept;

   private:
    static void look() noexcept;

    const Asker* asker_ = nullptr;
    AskerWatch* outer_ = nullptr;
};

}  // namespace epe::pg
