// Messages to the client. PostgreSQL processes interrupts, except cancels, while it sends one, so
// each may throw.
#pragma once

#include <string>

namespace epe::pg {

/// Texts are UTF-8; characters that the server's encoding lacks are shown as "?". Throws PgError.
void notice(const std::string& message);
void warning(const std::string& message);
/// An INFO of SQLSTATE 00EPE for package oml, which shows it as a progress bar.
void report_progress(const std::string& message);

}  // namespace epe::pg
