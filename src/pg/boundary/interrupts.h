// The backend's interrupt flags, for code that runs Python.
#pragma once

#include "core/pipeline/ports.h"

namespace epe::pg {

/// Async-signal-safe.
InterruptFlags interrupt_flags() noexcept;

}  // namespace epe::pg
