// Waits for the end of a job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/job.h"

namespace epe::jobs {

/// Returns the state of the job when it has ended or after that many milliseconds. Throws Error
/// 42704 when it is not visible (any more), 55000 when it cannot start before the current
/// transaction ends.
std::string wait_for_job(const JobId& id, std::optional<std::int64_t> milliseconds);

}  // namespace epe::jobs
