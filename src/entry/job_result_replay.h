// Gives the stored result of a job in the format that is asked for.
#pragma once

#include "jobs/store.h"

namespace epe::pg {
class ResultTarget;
}

namespace epe {

/// Runs calls that give back what those of the job returned. They run in an engine process, without
/// SQL; it must be sandboxed unless all that made the result is trusted. With `always_gives_row`,
/// 'PNG' has a row for a call that drew nothing, as if the job had asked for it.
void replay_result(const jobs::JobRecord& job, const pg::ResultTarget& target,
                   bool always_gives_row = false);

}  // namespace epe
