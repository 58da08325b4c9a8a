// What a job worker needs of PostgreSQL as a process.
#pragma once

#include <cstdint>

namespace epe::jobs {

/// Connects to the database as the bootstrap superuser. Ends the process when that fails.
void connect_worker(std::uint32_t database);

// These may throw PgError.
void begin_transaction();
void commit_transaction();
/// Also makes the process what it was before become(). Throws nothing.
void abort_transaction() noexcept;

/// Until the transaction ends, be that role: session user, current user and all; and unable to be
/// another one, for the process itself is a superuser's.
void become(std::uint32_t role);

/// From now on a cancel, or so much time, ends the job.
void begin_limits(std::int64_t seconds);
bool has_timed_out() noexcept;
void end_limits() noexcept;

/// False when the time is over.
bool wait_for_latch(long milliseconds);
void reload_settings();
void log_failure(const char* text) noexcept;

}  // namespace epe::jobs
