// The numbers of workers, and the claims of blocked queues to their slots. All functions need the
// lock.
#pragma once

#include "jobs/schedule.h"
#include "jobs/shared_state_internal.h"

namespace epe::jobs {

int count_workers(Oid role) noexcept;
int count_workers(Oid database, Oid role) noexcept;
/// Number of blocked entries that could fairly be given the slot.
int count_claims(const Slot& slot) noexcept;

}  // namespace epe::jobs
