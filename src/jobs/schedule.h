// The launcher's choice of the next queue to serve, and of the worker that makes room for it.
//
// A role's share is its number of workers in the whole cluster. The next worker goes to the role
// with the fewest workers, among those to the one served longest ago, and of its databases to the
// one served longest ago. All functions are leaves that raise no error; see shared_state.h.
#pragma once

#include "jobs/shared_state.h"

namespace epe::jobs {

/// The calling process is the launcher; requests maintenance of all databases.
void attach_launcher() noexcept;
/// True once after every attach, and when more databases needed maintenance than fit in the table.
bool take_scan_request() noexcept;
/// Begins a round of next_wanted(), which returns each waiting queue or maintenance once.
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
void free_slot(int slot) noexcept;

}  // namespace epe::jobs
