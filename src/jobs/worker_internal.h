// The parts of a job worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/store.h"
#include "jobs/worker.h"

namespace epe::jobs {

/// Lock timeout for recording an outcome, and for a look.
inline constexpr int kLockMilliseconds = 200;

/// Checks the job tables of the database.
void look(std::uint32_t database);

/// Runs a claimed job, records its outcome, and resets the session. False on failure: then the
/// process must end.
bool run_job(const ClaimedJob& job, RunJob run);

}  // namespace epe::jobs
