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

/// Reason to stop the worker's job.
enum class Stop : std::uint8_t { kNo, kCancelled };

/// To be called when the library is loaded; no-op unless the postmaster loads it.
void reserve_shared_state() noexcept;
bool has_shared_state() noexcept;

// ------------------------------------------------------------------------------------ workers

/// The purpose of a worker.
struct Assignment {
    std::uint32_t database;
    /// runs the jobs of this role, for its whole life; 0: it looks at the tables
    std::uint32_t role;
};

/// The calling process is the worker of a slot, until it ends; false when the slot has been taken
/// back meanwhile.
bool attach_worker(int slot, Assignment& assignment) noexcept;
/// Whether the worker must end before its next job. With `is_slice_over`, also when a queue below
/// its share waits for room.
bool must_end(bool is_slice_over) noexcept;
/// Whether a queued job, or a queue without a worker, waits for this worker.
bool is_needed() noexcept;
/// Before the search for a job: until begin_job(), a session's stop does not find it here.
void begin_claim() noexcept;
/// Whether any job was stopped since then.
bool has_missed_stop() noexcept;
/// Before a job runs, or after it: see the head of the file.
void begin_job(const JobId& job) noexcept;
void end_job() noexcept;
Stop requested_stop() noexcept;
/// The worker waits; announce() may wake it. False when it must end.
bool begin_waiting() noexcept;
/// Ends the wait. With `is_leaving`, true means that the worker must end: it is not assigned
/// anything any more.
bool end_waiting(bool is_leaving) noexcept;
/// Ends the worker's slot normally; without this call, its queue counts a failure, and its database
/// gets a look.
void leave() noexcept;

// ---------------------------------------------------------------------------- running jobs

/// Whether a live worker has the job.
bool is_running(const JobId& job) noexcept;
/// Stops the job if a worker has it.
void stop_job(const JobId& job) noexcept;
/// Iterates over the jobs that workers of the database have; false at the end.
bool next_running(std::uint32_t database, int& index, JobId& job) noexcept;

/// Progress reported by a running job. Texts are UTF-8; only the last lines are kept.
struct Progress {
    JobId job;
    std::uint32_t role;
    double fraction;  ///< negative: not reported
    char comment[2048];
};
/// Sets the progress of the calling worker's job; no-op outside of a job.
void note_progress(double fraction, const char* comment) noexcept;
bool next_progress(int& index, Progress& progress) noexcept;

// ------------------------------------------------------------------------------------- waiting

/// A job has changed its state: wakes the processes in wait_for_change().
void announce_change() noexcept;
/// No change between these two calls is missed.
void prepare_to_wait() noexcept;
void end_wait() noexcept;
/// Returns after a change, a signal, or that many milliseconds. May raise: interrupts.
void wait_for_change(long milliseconds) noexcept;

}  // namespace epe::jobs
