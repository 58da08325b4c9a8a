// The entries of queues and databases in shared memory. All functions need the lock.
#pragma once

#include "jobs/queues.h"
#include "jobs/shared_state_internal.h"

namespace epe::jobs {

/// Null when it does not exist and the table is full; then every database gets maintenance.
Database* find_database(Oid oid, bool may_add) noexcept;
Queue* find_queue(Oid database, Oid role, bool may_add) noexcept;
void wake_launcher() noexcept;
/// Whether an idle worker of the queue could be woken.
bool wake_worker(Oid database, Oid role) noexcept;
/// A worker has failed, or the database accepts no connections: delays the next worker.
void set_delayed(Demand& demand) noexcept;
void set_wanted(Demand& demand) noexcept;

}  // namespace epe::jobs
