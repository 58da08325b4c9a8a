// One attempt at a job in its worker, and its outcome.
#pragma once

#include <optional>
#include <string>

#include "core/pipeline/ports.h"
#include "jobs/job.h"

namespace epe::jobs {

/// Runs the calls of a job inside the open transaction, as its role and with its settings; results
/// go to the sink. Returns whether everything they are made from is trusted.
using RunJob = bool (*)(const ClaimedJob& job, ResultSink& sink);

/// Runs a claimed job, records its outcome, and resets the session. False on failure: then the
/// process must end.
bool run_job(const ClaimedJob& job, RunJob run);

/// The job that this process runs now; null: none.
const ClaimedJob* current_job() noexcept;

/// Sets the running job's progress: shown at once, kept with the job. No-op outside of a worker.
void report_progress(std::optional<double> fraction, const std::optional<std::string>& line);

}  // namespace epe::jobs
