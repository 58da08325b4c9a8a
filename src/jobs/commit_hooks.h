// Notifies the launcher and the workers when a session's transaction ends.
#pragma once

#include "jobs/shared_state.h"

namespace epe::jobs {

/// To be called when the library is loaded, after reserve_shared_state(): detects COMMIT PREPARED,
/// for which there is no transaction callback.
void watch_prepared_transactions() noexcept;

/// Announces a job of the role when the current transaction commits.
void announce_at_commit(std::uint32_t role) noexcept;
/// Stops a worker that has the job at that time. No-op after a rollback, also of a subtransaction.
void stop_at_commit(const JobId& job) noexcept;
/// Requests maintenance of the tables at that time.
void maintain_at_commit() noexcept;

}  // namespace epe::jobs
