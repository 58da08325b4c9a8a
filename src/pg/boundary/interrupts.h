// The backend's interrupt flags, for code that runs Python.
#pragma once

#include "core/pipeline/ports.h"

namespace epe::pg {

/// Readable from signal handlers.
InterruptFlags interrupt_flags() noexcept;

}  // namespace epe::pg
