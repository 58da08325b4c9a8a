// What the launcher, the job workers and the sessions that submit jobs share in memory.
//
// Tables hold what must survive; this holds what is true of the processes of now: which databases
// have work, and what each worker does. It exists only with shared_preload_libraries, and is
// empty after every start of the server, a restart after a crash included. One lock guards it all
// and is held for moments. Everything here is a leaf and raises nothing.
//
// A job's row says "running" only while the slot of a live worker names the job: the name is put
// there before the transaction that says so commits, and taken away after the one that says what
// became of it. Whoever finds a running row without a slot may call it lost.
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

// ------------------------------------------------------------------------------ the databases

/// Jobs have been committed in a database: a worker that waits is woken, or the launcher starts
/// one. With `is_look` a worker shall look at the tables once more, jobs or not.
void announce(std::uint32_t database, std::int64_t jobs, bool is_look) noexcept;
/// Grows by one with every announcement.
std::uint64_t queue_version(std::uint32_t database) noexcept;
/// Nothing was queued when the version was this.
void note_empty(std::uint32_t database, std::uint64_t version) noexcept;
/// A worker has found so many.
void note_queued(std::uint32_t database, std::int64_t jobs) noexcept;

// -------------------------------------------------------------------------------- the launcher

/// The calling process is the launcher; all databases want a look.
void attach_launcher() noexcept;
/// True once after every attach, and when more databases wanted a worker than can be noted.
bool take_scan_wish() noexcept;
/// A database wants a worker.
void want_worker(std::uint32_t database) noexcept;
/// A database is gone.
void forget_database(std::uint32_t database) noexcept;
/// The next database, going round, that wants a worker; 0: none. One whose workers fail one after
/// the other gets the next a little later, which `is_delayed` tells.
std::uint32_t next_wanted(bool& is_delayed) noexcept;
/// A free slot for a worker of this database, no more than `most` in all; -1: none. Then a worker
/// that waits, or has done more than its database's share, is asked to make room. The number is
/// what the worker is given as its argument.
int take_slot(std::uint32_t database, int most) noexcept;
/// The setting has changed: workers beyond so many go, after the job that they run.
void limit_workers(int most) noexcept;
/// The worker of a slot has never come up.
void give_back(int slot) noexcept;
/// Databases of which a worker has found the extension, from the index on; 0 at the end.
std::uint32_t known_database(int& index) noexcept;

// --------------------------------------------------------------------------------- the workers

/// The calling process is the worker of a slot, until it ends; false when the slot is not to be
/// had any more. The database is returned.
bool attach_worker(int slot, std::uint32_t& database) noexcept;
/// The worker's database has the extension.
void note_extension() noexcept;
bool must_yield() noexcept;
/// About to run, or to have run, a job: see the head of the file.
void begin_job(const JobId& job, std::uint32_t role) noexcept;
void end_job() noexcept;
Stop stop_wish() noexcept;
/// How many workers run a job of this role's in a database.
int running_jobs(std::uint32_t database, std::uint32_t role) noexcept;
/// The worker waits; announce() may wake it. False when it has been woken already.
bool begin_waiting() noexcept;
/// Ends the wait. With `is_leaving`, true means that the worker must go: nothing will be given to
/// it any more.
bool end_waiting(bool is_leaving) noexcept;
/// Ends the worker's slot in good order; else its database wants another one, to look.
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

/// A job has changed its state: whoever waits in wait_for_change() looks again.
void tell_change() noexcept;
/// Between these two no change is missed.
void prepare_to_wait() noexcept;
void end_wait() noexcept;
/// Returns after a change, a signal, or so many milliseconds. May raise: interrupts.
void wait_for_change(long milliseconds) noexcept;

}  // namespace epe::jobs
