// The background worker of jobs: for one role in one database, or for maintenance of a database.
#pragma once

#include "jobs/job_attempt.h"

namespace epe::jobs {

/// The main function of the background worker. Python never runs in it.
void worker_main(int slot, RunJob run);

}  // namespace epe::jobs
