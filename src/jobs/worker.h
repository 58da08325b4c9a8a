// The background worker of jobs: of one role in one database, or one that looks at the tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/store.h"

namespace epe::jobs {

/// Runs the calls of a job inside the open transaction, as its role and with its settings; results
/// go to the sink. Returns whether what they are made of is trusted.
using RunJob = bool (*)(const ClaimedJob& job, ResultSink& sink);

/// The body of the background worker. Python never runs in it.
void work(int slot, RunJob run);

/// Lets the running job say something of itself: shown at once, kept with the job. Nothing outside
/// a worker.
void say(std::optional<double> fraction, const std::optional<std::string>& line);

}  // namespace epe::jobs
