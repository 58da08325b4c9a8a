// Hints for PostgreSQL's own errors: calls that are written as in Oracle, tables of the extension.
#pragma once

namespace epe::pg {

/// Adds the hints from now on. They reach the client if the error is logged, too, as all errors are
/// with the default log_min_messages. For _PG_init: may raise PostgreSQL's error.
void install_call_hints() noexcept;

/// What to use in place of a table of schema pyqsys.
const char* hint_for_table(const char* table) noexcept;

}  // namespace epe::pg
