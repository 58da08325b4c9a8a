// What a session tells the workers when its transaction commits.
#pragma once

#include "jobs/shared_state.h"

namespace epe::jobs {

/// To be called when the library is loaded, after reserve_shared_state(): watches COMMIT PREPARED,
/// which no callback of a transaction sees.
void watch_prepared_transactions() noexcept;

/// A job may start when the current transaction commits.
void announce_at_commit() noexcept;
/// A worker that has the job stops then.
void stop_at_commit(const JobId& job) noexcept;

}  // namespace epe::jobs
