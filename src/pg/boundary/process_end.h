// Callbacks at the end of a server process.
#pragma once

namespace epe::pg {

/// Calls `action` when this process ends by proc_exit(), FATAL errors included, but not when it is
/// killed. Later calls have no effect. Throws PgError.
void at_process_end(void (*action)() noexcept);

}  // namespace epe::pg
