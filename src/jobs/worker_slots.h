// The slots of job workers in shared memory: the activity of each worker, and the job that it runs.
// All functions are leaves that raise no error; see shared_state.h.
#pragma once

#include <cstdint>

#include "jobs/shared_state.h"

namespace epe::jobs {

/// Reason to stop the worker's job.
enum class Stop : std::uint8_t { kNo, kCancelled };

// ------------------------------------------------------------------------- the calling worker

/// The calling process is the worker of a slot, until it ends; false when the slot has been taken
/// back meanwhile.
bool attach_worker(int slot, Assignment& assignment) noexcept;
/// Whether the worker must end before its next job. With `is_slice_over`, also when a queue below
/// its share waits for room.
bool must_end(bool is_slice_over) noexcept;
/// Whether the calling worker's role exceeds its maximum number of workers, this one included.
bool is_over_cap() noexcept;
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
/// gets maintenance.
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

}  // namespace epe::jobs
