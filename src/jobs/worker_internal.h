// The parts of a job worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/store.h"
#include "jobs/worker.h"

namespace epe::jobs {

/// How long recording an outcome waits for the lock of the job's row, and a look for any lock.
inline constexpr int kLockMilliseconds = 200;

/// Looks at the tables of the jobs of the database.
void look(std::uint32_t database);

/// Runs a claimed job and records its outcome; nothing of the job is left in the session. False
/// when that fails: then the process must end.
bool run_job(const ClaimedJob& job, RunJob run);

}  // namespace epe::jobs
