// The queues in shared memory, one per role and database, and the databases that need maintenance.
// All functions are leaves that raise no error; see shared_state.h.
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

// -------------------------------------------------------------------------------- databases

/// Requests maintenance of a database's job tables: now, or later.
void request_maintenance(std::uint32_t database) noexcept;
void request_maintenance_later(std::uint32_t database) noexcept;
/// Like request_maintenance(), when changes wait for row locks there.
void request_maintenance_if_changes_wait(std::uint32_t database) noexcept;
/// Result of maintenance. Pending changes are tried again later.
void note_maintenance(std::uint32_t database, bool has_extension, bool has_changes) noexcept;
/// A database was dropped.
void forget_database(std::uint32_t database) noexcept;
/// Databases in which maintenance has found the extension, from the index on; 0 at the end.
std::uint32_t known_database(int& index) noexcept;

}  // namespace epe::jobs
