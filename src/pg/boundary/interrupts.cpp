// The backend's interrupt flags, for code that runs Python.
#include "pg/boundary/interrupts.h"

extern "C" {
#include "postgres.h"

#include "miscadmin.h"
}

namespace epe::pg {

InterruptFlags interrupt_flags() noexcept {
    InterruptFlags flags;
    flags.is_pending = []() noexcept { return InterruptPending != 0; };
    flags.is_cancel = []() noexcept { return QueryCancelPending != 0 || ProcDiePending != 0; };
    flags.is_last = []() noexcept { return ProcDiePending != 0; };
    return flags;
}

}  // namespace epe::pg
