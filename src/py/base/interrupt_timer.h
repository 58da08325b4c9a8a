#pragma once

namespace epe::py {

/// Creates the timer that interrupts scripts, before the sandbox forbids it. To be called by the
/// thread that will run scripts, after the fork. Throws Error (53000).
void prepare_interrupts();

}  // namespace epe::py
