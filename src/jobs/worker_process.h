// The PostgreSQL process of a job worker.
#pragma once

#include <cstdint>

namespace epe::jobs {

/// Connects to the database. A process that serves a role shows that role, and the role can end it;
/// 0: it only runs the extension's own statements. Ends the process on failure.
void connect_worker(std::uint32_t database, std::uint32_t role);

// These may throw PgError.

/// A transaction of the worker itself: READ COMMITTED and read-write, overriding the settings.
void begin_own_transaction();
/// A job's transaction: runs as the process's role (session and current user), without the right to
/// leave it, because the process was started with a superuser's rights.
void begin_job_transaction();
void commit_transaction();
/// noexcept.
void abort_transaction() noexcept;

/// Runs the job's deferred constraints and triggers. Closes its cursors, WITH HOLD ones too, which
/// the commit would run to their end.
void settle_transaction();

/// Sets the initial settings of a session.
void override_setting(const char* name, const char* value);
/// Loads session_preload_libraries and local_preload_libraries, as at the start of a session.
void load_libraries();

/// Whether user code has run since the last reset_session().
bool is_session_used() noexcept;
/// Resets what DISCARD ALL resets.
void reset_session();

/// From now on, a cancel or the expiry of this time ends the job.
void begin_limits(std::int64_t seconds);
bool has_timed_out() noexcept;
void end_limits() noexcept;

/// Waits; a cancel or an expired limit is an error, if limits are active.
void nap(long milliseconds);
/// False when the time limit has expired.
bool wait_for_latch(long milliseconds);
void reload_settings();
void log_failure(const char* text) noexcept;

}  // namespace epe::jobs
