// Waits for the end of a job.
#include "jobs/wait.h"

#include <algorithm>

#include "core/pipeline/call_stats.h"
#include "jobs/session_store.h"
#include "jobs/shared_state.h"
#include "pg/boundary/boundary.h"

namespace epe::jobs {

namespace {

constexpr std::int64_t kLongestMilliseconds = 1'000'000'000;

std::string ended_state(const JobId& id) {
    const JobRecord job = find_job(id, /* is_latest */ true);
    if (job.is_pending() && job.is_own_change)
        throw Error(sqlstate::kNotInState,
                    "job \"" + std::string(id.text) +
                        "\" cannot start before the transaction that submitted it commits");
    return job.is_pending() ? std::string() : job.state;
}

}  // namespace

std::string wait_for_job(const JobId& id, std::optional<std::int64_t> milliseconds) {
    if (!has_shared_state()) return find_job(id).state;
    const std::int64_t limit =
        std::min(milliseconds.value_or(kLongestMilliseconds), kLongestMilliseconds);
    const std::int64_t end = now_nanoseconds() + limit * 1'000'000;
    // An error while waiting ends the transaction, and with it the wait.
    pg::guarded([]() noexcept { prepare_to_wait(); });
    std::string state = ended_state(id);
    while (state.empty()) {
        const std::int64_t left = (end - now_nanoseconds()) / 1'000'000;
        if (left <= 0) break;
        pg::guarded([=]() noexcept { wait_for_change(static_cast<long>(left)); });
        state = ended_state(id);
    }
    pg::guarded([]() noexcept { end_wait(); });
    return state.empty() ? find_job(id, true).state : state;
}

}  // namespace epe::jobs
