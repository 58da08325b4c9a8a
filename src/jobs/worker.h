// The background worker of jobs: for one role in one database, or for looks at the tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/store.h"

namespace epe::jobs {

/// Runs the calls of a job inside the open transaction, as its role and with its settings; results
/// go to the sink. Returns whether everything they are made from is trusted.
using RunJob = bool (*)(const ClaimedJob& job, ResultSink& sink);

/// The main function of the background worker. Python never runs in it.
void work(int slot, RunJob run);

/// Sets the running job's progress: shown at once, kept with the job. No-op outside of a worker.
void report_progress(std::optional<double> fraction, const std::optional<std::string>& line);

}  // namespace epe::jobs
