// Interrupts of a backend: its flags, and waits that process interrupts.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"

namespace epe::pg {

/// The flags, for code that runs Python. Async-signal-safe.
InterruptFlags interrupt_flags() noexcept;

/// Waits for other processes.
std::unique_ptr<Waiter> make_waiter();

}  // namespace epe::pg
