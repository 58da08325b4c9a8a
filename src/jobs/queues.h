// The queues, one per role and database, and the choice of the next one to serve.
//
// A role's share is its number of workers in the whole cluster. The next worker goes to the role
// with the fewest workers, among those to the one served longest ago, and of its databases to the
// one served longest ago. All functions are leaves that raise no error; see shared_state.h.
#pragma once

#include <cstdint>

#include "jobs/shared_state.h"

namespace epe::jobs {

// ------------------------------------------------------------------------------------ queues

/// Jobs of a role have been committed: wakes a waiting worker of the role, or the launcher, which
/// starts one.
void announce(std::uint32_t database, std::uint32_t role, std::int64_t jobs) noexcept;
/// Incremented by every announcement.
std::uint64_t queue_version(const Assignment& queue) noexcept;
/// Records that nothing could be claimed at this version.
void note_empty(const Assignment& queue, std::uint64_t version) noexcept;
struct QueuedJobs {
    std::uint32_t role = 0;
    std::int64_t count = 0;
};

/// Sets the number of queued jobs, as counted by a committed transaction.
void note_queued(const Assignment& queue, std::int64_t jobs) noexcept;

// ------------------------------------------------------------------ jobs at a time per role

/// The maximum number of workers of the queue's role, 0: no limit; and whether it must be looked up
/// again, since a setting has changed.
void note_cap(const Assignment& queue, int most) noexcept;
bool is_cap_known(const Assignment& queue) noexcept;
/// The sources of the maximums may have changed.
void forget_caps() noexcept;
/// The value of the configuration file, for roles and databases without a setting of their own.
void set_default_cap(int most) noexcept;
int default_cap() noexcept;
/// Whether the calling worker's role exceeds its maximum number of workers, this one included.
bool is_over_cap() noexcept;

// -------------------------------------------------------------------------------- databases

/// Requests a look at the job tables of a database: now, or later.
void want_look(std::uint32_t database) noexcept;
void want_look_later(std::uint32_t database) noexcept;
/// Like want_look(), when changes wait for row locks there.
void want_look_if_changes_wait(std::uint32_t database) noexcept;
/// Result of a look. Pending changes are tried again later.
void note_look(std::uint32_t database, bool has_extension, bool has_changes) noexcept;
/// A database was dropped.
void forget_database(std::uint32_t database) noexcept;
/// Databases in which a look has found the extension, from the index on; 0 at the end.
std::uint32_t known_database(int& index) noexcept;

// -------------------------------------------------------------------------------- the launcher

/// The calling process is the launcher; requests a look at all databases.
void attach_launcher() noexcept;
/// True once after every attach, and when more databases wanted a look than fit in the table.
bool take_scan_request() noexcept;
/// Begins a round of next_wanted(), which returns each waiting queue or look once.
void begin_round() noexcept;
/// False: none. `milliseconds` is lowered to the due time of a delayed one: a queue or a database
/// whose workers keep failing gets the next one a little later.
bool next_wanted(Assignment& wanted, int& milliseconds) noexcept;
/// A free slot for it, with no more than `most` workers in all; -1: none. In that case an idle
/// worker is asked to end, and busy workers end when that is fair. The number is the argument of
/// the worker.
int take_slot(const Assignment& wanted, int most) noexcept;
/// No process can connect to its database for now: it is tried again later.
void postpone(const Assignment& wanted) noexcept;
/// The setting has changed: workers above the maximum end, after the job that they run.
void limit_workers(int most) noexcept;
/// The worker of a slot did not start.
void give_back(int slot) noexcept;

}  // namespace epe::jobs
