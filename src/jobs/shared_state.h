// Shared memory of the launcher, the job workers and the sessions that submit jobs.
//
// Tables hold the durable state; this holds the state of the running processes: which roles have
// queued jobs in which databases (queues.h), and the activity of each worker. It exists only with
// shared_preload_libraries, and is empty after every start of the server, a restart after a crash
// included. One lock protects all of it and is held briefly. All functions here are leaves and
// raise no error.
//
// A job's row has state "running" only while the slot of a live worker contains the job's ID, or a
// committed row of pyqsys.job_changes has its outcome: the ID is stored in the slot before the
// transaction that sets "running" commits, and removed after the one that records the outcome. A
// running row with neither is lost.
#pragma once

#include <cstdint>

namespace epe::jobs {

inline constexpr int kIdSize = 37;  ///< a UUID as text, with its terminator

/// A job's ID, as text, in plain memory.
struct JobId {
    char text[kIdSize];
};

/// To be called when the library is loaded; no-op unless the postmaster loads it.
void reserve_shared_state() noexcept;
bool has_shared_state() noexcept;

/// The purpose of a worker.
struct Assignment {
    std::uint32_t database;
    /// runs the jobs of this role, for its whole life; 0: it maintains the tables
    std::uint32_t role;
};

// ------------------------------------------------------------------------------------- waiting

/// A job has changed its state: wakes the processes in wait_for_change().
void announce_change() noexcept;
/// No change between these two calls is missed.
void prepare_to_wait() noexcept;
void end_wait() noexcept;
/// Returns after a change, a signal, or that many milliseconds. May raise: interrupts.
void wait_for_change(long milliseconds) noexcept;

}  // namespace epe::jobs
