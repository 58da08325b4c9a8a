// Returns the stored result of a job in the requested format.
#pragma once

#include <memory>

#include "entry/run_request.h"
#include "jobs/session_store.h"

namespace epe {

/// Starts calls that return the results of the job's calls. They run in an engine process, without
/// SQL; it must be sandboxed unless everything the result was made from is trusted. With
/// `always_gives_row`, 'PNG' returns a row for a call that drew nothing, as if the job had asked
/// for it.
std::unique_ptr<RunningCall> start_replay(const jobs::JobRecord& job, OutputShape shape,
                                          bool always_gives_row = false, bool takes_all = false);

}  // namespace epe
