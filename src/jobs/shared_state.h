// What the launcher, the job workers and the sessions that submit jobs share in memory.
//
// Tables hold what must survive; this holds what is true of the processes of now: which roles have
// queued jobs in which databases (queues.h), and what each worker does. It exists only with
// shared_preload_libraries, and is empty after every start of the server, a restart after a crash
// included. One lock guards it all and is held for moments. Everything here is a leaf and raises
// nothing.
//
// A job's row says "running" only while the slot of a live worker names the job, or a committed
// row of pyqsys.job_changes has its outcome: the name is put into the slot before the transaction
// that says "running" commits, and taken away after the one that records what became of it. A
// running row with neither is lost.
#pragma once

#include <cstdint>

namespace epe::jobs {

inline constexpr int kIdSize = 37;  ///< a UUID as text, with its end

/// A job's ID, as text, in plain memory.
struct JobId {
    char text[kIdSize];
};

/// Why a worker shall stop its job.
enum class Stop : std::uint8_t { kNo, kCancelled };

/// To be called when the library is loaded; nothing happens unless that is by the postmaster.
void reserve_shared_state() noexcept;
bool has_shared_state() noexcept;

// --------------------------------------------------------------------------------- the workers

/// What a worker is started for.
struct Assignment {
    std::uint32_t database;
    std::uint32_t role;  ///< whose jobs it runs, for all its life; 0: it looks at the tables
};

/// The calling process is the worker of a slot, until it ends; false when the slot has been taken
/// back meanwhile.
bool attach_worker(int slot, Assignment& assignment) noexcept;
/// Whether the worker must end before it takes another job. With `is_slice_over`, also when a
/// queue that has less than its share waits for room.
bool must_end(bool is_slice_over) noexcept;
/// Whether a queued job, or a queue without a worker, waits for this worker.
bool is_needed() noexcept;
/// About to look for a job: until begin_job() a session's stop does not find it here.
void begin_claim() noexcept;
/// Whether any job was stopped since then.
bool has_missed_stop() noexcept;
/// About to run, or to have run, a job: see the head of the file.
void begin_job(const JobId& job) noexcept;
void end_job() noexcept;
Stop stop_wish() noexcept;
/// The worker waits; announce() may wake it. False when it must end.
bool begin_waiting() noexcept;
/// Ends the wait. With `is_leaving`, true means that the worker must go: nothing will be given to
/// it any more.
bool end_waiting(bool is_leaving) noexcept;
/// Ends the worker's slot in good order; else its queue counts a failure, and its database is
/// looked at.
void leave() noexcept;

// ---------------------------------------------------------------------------- running jobs

/// Whether a live worker has the job.
bool is_running(const JobId& job) noexcept;
/// Stops the job if a worker has it.
void stop_job(const JobId& job) noexcept;
/// The jobs that workers of the database have, one by one: the index goes on; false at the end.
bool next_running(std::uint32_t database, int& index, JobId& job) noexcept;

/// What a running job says of itself. Texts are UTF-8, the last lines where there are many.
struct Progress {
    JobId job;
    std::uint32_t role;
    double fraction;  ///< negative: not said
    char comment[2048];
};
/// Of the calling worker's job; nothing outside one.
void note_progress(double fraction, const char* comment) noexcept;
bool next_progress(int& index, Progress& progress) noexcept;

// ------------------------------------------------------------------------------------- waiting

/// A job has changed its state: processes in wait_for_change() look again.
void tell_change() noexcept;
/// Between these two no change is missed.
void prepare_to_wait() noexcept;
void end_wait() noexcept;
/// Returns after a change, a signal, or so many milliseconds. May raise: interrupts.
void wait_for_change(long milliseconds) noexcept;

}  // namespace epe::jobs
