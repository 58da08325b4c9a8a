// The queues, each of the jobs of one role in one database, and who is served next.
//
// A role's share is its number of workers in the whole cluster. The next worker goes to the role
// that has the fewest, of those to the one that was served longest ago, and of its databases to the
// one that was served longest ago. All of it leaves that raise nothing; see shared_state.h.
#pragma once

#include <cstdint>

#include "jobs/shared_state.h"

namespace epe::jobs {

// ------------------------------------------------------------------------------------ the queues

/// Jobs of a role have been committed: a worker of the role that waits is woken, or the launcher
/// starts one.
void announce(std::uint32_t database, std::uint32_t role, std::int64_t jobs) noexcept;
/// Grows by one with every announcement.
std::uint64_t queue_version(const Assignment& queue) noexcept;
/// Nothing could be claimed when the version was this.
void note_empty(const Assignment& queue, std::uint64_t version) noexcept;
struct QueuedJobs {
    std::uint32_t role = 0;
    std::int64_t count = 0;
};

/// So many jobs of the queue are queued, as a committed transaction has counted them.
void note_queued(const Assignment& queue, std::int64_t jobs) noexcept;

// --------------------------------------------------------------------------- jobs at a time, a
// role

/// The most workers that the role of the queue may have, 0: any number; and whether that has to be
/// looked up again, since a setting has changed.
void note_cap(const Assignment& queue, int most) noexcept;
bool is_cap_known(const Assignment& queue) noexcept;
/// What caps come from may have changed.
void forget_caps() noexcept;
/// What the configuration file says, for roles and databases without a setting of their own.
void set_default_cap(int most) noexcept;
int default_cap() noexcept;
/// Whether the calling worker's role has more workers than it may have, this one included.
bool is_over_cap() noexcept;

// --------------------------------------------------------------------------------- the databases

/// A worker shall look at the tables of the jobs in a database: now, or in a while.
void want_look(std::uint32_t database) noexcept;
void want_look_later(std::uint32_t database) noexcept;
/// As want_look(), when changes wait for the locks of their rows there.
void want_look_if_changes_wait(std::uint32_t database) noexcept;
/// What a look has found. Changes that could not be made yet are tried again in a while.
void note_look(std::uint32_t database, bool has_extension, bool has_changes) noexcept;
/// A database is gone.
void forget_database(std::uint32_t database) noexcept;
/// Databases in which a look has found the extension, from the index on; 0 at the end.
std::uint32_t known_database(int& index) noexcept;

// -------------------------------------------------------------------------------- the launcher

/// The calling process is the launcher; all databases want a look.
void attach_launcher() noexcept;
/// True once after every attach, and when more databases wanted a look than can be noted.
bool take_scan_wish() noexcept;
/// Begins a round of next_wanted(), which gives each of what wants a worker once.
void begin_round() noexcept;
/// False: none. `milliseconds` is lowered to when one that is delayed becomes due: a queue or a
/// database whose workers fail one after the other gets the next a little later.
bool next_wanted(Assignment& wanted, int& milliseconds) noexcept;
/// A free slot for it, with no more than `most` workers in all; -1: none. Then a worker that waits
/// is asked to end, and workers that run jobs end when that is fair. The number is what the worker
/// is given as its argument.
int take_slot(const Assignment& wanted, int most) noexcept;
/// Nobody can connect to its database for now: it is tried again in a while.
void put_off(const Assignment& wanted) noexcept;
/// The setting has changed: workers beyond so many go, after the job that they run.
void limit_workers(int most) noexcept;
/// The worker of a slot has never come up.
void give_back(int slot) noexcept;

}  // namespace epe::jobs
