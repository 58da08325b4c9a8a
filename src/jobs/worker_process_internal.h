// What a job worker needs of PostgreSQL as a process.
#pragma once

#include <cstdint>

namespace epe::jobs {

/// Connects to the database. A process that serves a role shows that role, and can be ended by it;
/// 0: it runs nothing but our own statements. Ends the process when that fails.
void connect_worker(std::uint32_t database, std::uint32_t role);

// These may throw PgError.

/// A transaction of our own: READ COMMITTED, and may write, whatever the settings are.
void begin_own_transaction();
/// A job's: as the process's role, session user and current user, for good: it cannot become
/// another role, for the process itself has been started as a superuser's.
void begin_job_transaction();
void commit_transaction();
/// Throws nothing.
void abort_transaction() noexcept;

/// What a job has put off until its commit happens: deferred constraints and triggers. Its cursors
/// are closed, those WITH HOLD too, which would be run to their end at the commit.
void settle_transaction();

/// Sets what a session starts with.
void override_setting(const char* name, const char* value);
/// Loads what session_preload_libraries and local_preload_libraries name, as a session's start.
void load_libraries();

/// Whether anything but our own statements has been run since the last reset_session().
bool is_session_used() noexcept;
/// Resets what DISCARD ALL resets.
void reset_session();

/// From now on a cancel, or so much time, ends the job.
void begin_limits(std::int64_t seconds);
bool has_timed_out() noexcept;
void end_limits() noexcept;

/// Lets some time pass; a cancel or the end of the limit is an error, when limits hold.
void nap(long milliseconds);
/// False when the time is over.
bool wait_for_latch(long milliseconds);
void reload_settings();
void log_failure(const char* text) noexcept;

}  // namespace epe::jobs
