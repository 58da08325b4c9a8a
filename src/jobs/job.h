// The rows of jobs, and all transitions of their states.
//
//                    +-> cancelled <-------+
//   submit -> queued +-> running +-> finished
//              | ^               +-> failed, timed out
//              | +--- retry -----+
//              +-> failed: its owner may not log in any more
//
// A session submits, cancels and deletes in its own transaction. A worker claims a job in one
// transaction; runs it, stores its results and marks it as finished in a second; and records a
// failure in a third. Every transition specifies its initial state and attempt, so that the loser
// of a race is a no-op. Each transition except the submission notifies channel pyq_job: "<id>
// <state>". A transition that cannot lock the row soon is recorded in pyqsys.job_changes and made
// by maintenance (maintenance.h) when the row is free.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/ports.h"
#include "jobs/shared_state.h"

namespace epe::jobs {

/// The call of a job.
struct JobRequest {
    EvalFunction function = EvalFunction::kEval;
    RawArguments arguments{};
    std::vector<std::string> settings{};
    std::int64_t timeout_seconds = 0;
    std::int64_t retries = 0;
    bool needs_login = true;              ///< its owner must be able to log in when it starts
    std::optional<std::string> source{};  ///< as in Request
    std::string pickled{};                ///< as in Request; of a submission only
    bool is_by_untrusted = false;         ///< submitted by an untrusted script
};

/// A job that a worker has claimed.
struct ClaimedJob {
    JobId id{};
    std::uint32_t owner = 0;
    std::int64_t attempt = 0;
    JobRequest request{};
};

}  // namespace epe::jobs
