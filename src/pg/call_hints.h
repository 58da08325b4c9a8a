// Hints for PostgreSQL's own errors about calls that are written as in Oracle.
#pragma once

namespace epe::pg {

/// Adds the hints from now on. They reach the client if the error is logged, too, as all errors are
/// with the default log_min_messages. For _PG_init: may raise PostgreSQL's error.
void install_call_hints() noexcept;

}  // namespace epe::pg
