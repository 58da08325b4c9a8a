// A look: a worker checks the job tables of a database. It runs only the extension's own
// statements, no user code.
#include <vector>

#include "jobs/owner_sql.h"
#include "jobs/queues.h"
#include "jobs/shared_state.h"
#include "jobs/store.h"
#include "jobs/transaction_internal.h"
#include "jobs/worker_internal.h"
#include "jobs/worker_process_internal.h"

namespace epe::jobs {

void look(std::uint32_t database) {
    bool has_changes = false;
    try {
        const LockTimeout limit(kLockMilliseconds);
        std::vector<QueuedJobs> queues;
        const bool is_ours = in_own_transaction([&] {
            if (!has_extension()) return false;
            has_changes = look_at_jobs(queues);
            return true;
        });
        // After the commit: a worker that was woken earlier would not see the jobs, and exit.
        for (const QueuedJobs& each : queues) note_queued({database, each.role}, each.count);
        note_look(database, is_ours, has_changes);
    } catch (const Error& error) {
        if (error.report().sqlstate != kLockNotAvailable) throw;
        has_changes = true;  // a session has locked the whole table
    }
    announce_change();
    if (has_changes) want_look_later(database);
}

}  // namespace epe::jobs
