// What a session tells the launcher and the workers when its transaction ends.
#pragma once

#include "jobs/shared_state.h"

namespace epe::jobs {

/// To be called when the library is loaded, after reserve_shared_state(): watches COMMIT PREPARED,
/// which no callback of a transaction sees.
void watch_prepared_transactions() noexcept;

/// A job of the role may start when the current transaction commits.
void announce_at_commit(std::uint32_t role) noexcept;
/// A worker that has the job stops then. Not after a rollback, of a subtransaction either.
void stop_at_commit(const JobId& job) noexcept;
/// The tables are looked at then.
void look_at_commit() noexcept;

}  // namespace epe::jobs
