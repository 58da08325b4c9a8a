// The main functions of the background workers of jobs: src/jobs, with a function that runs
// requests.
#include "entry/job_workers.h"

#include <exception>
#include <utility>

#include "core/request/request.h"
#include "entry/run_request.h"
#include "jobs/commit_hooks.h"
#include "jobs/launcher.h"
#include "jobs/shared_state.h"
#include "jobs/worker.h"
#include "jobs/worker_store.h"
#include "pg/backend/background_worker.h"
#include "pg/boundary/function_call.h"
#include "pg/output/result_target.h"

namespace {

bool run_job(const epe::jobs::ClaimedJob& job, epe::ResultSink& sink) {
    epe::Request request = epe::make_request(job.request.function, job.request.arguments);
    request.source = job.request.source;
    request.pickled = epe::jobs::pickled_arguments(job.id);
    request.controls.unknown.clear();  // the submission has warned
    epe::RunRules rules;
    rules.is_job = true;
    rules.is_by_untrusted = job.request.is_by_untrusted;
    return epe::run_request(std::move(request), epe::pg::stored_shape(), sink, rules);
}

}  // namespace

namespace epe {

void register_job_workers() noexcept {
    jobs::reserve_shared_state();
    jobs::watch_prepared_transactions();
    jobs::register_launcher("epe_job_launcher_main", "epe_job_worker_main");
}

}  // namespace epe

extern "C" {
EPE_EXPORT void epe_job_launcher_main(std::uintptr_t argument);
void epe_job_launcher_main(std::uintptr_t) { epe::jobs::launcher_main(); }

EPE_EXPORT void epe_job_worker_main(std::uintptr_t argument);
void epe_job_worker_main(std::uintptr_t argument) {
    try {
        epe::jobs::worker_main(static_cast<int>(argument), run_job);
    } catch (const std::exception& error) {
        epe::pg::log_in_worker(error.what());
    }
}
}
