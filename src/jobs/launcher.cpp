// The background worker that starts job workers.
//
// Its latch is set when databases want a worker or slots become free. It scans all databases once,
// at its start, which is when the server accepts writes: so jobs that waited or ran when the server
// stopped are handled, and on a standby after its promotion. Later it only sends a worker
// periodically to the databases that have the extension, to remove old jobs.
#include "jobs/launcher.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "jobs/queues.h"
#include "jobs/schedule.h"
#include "jobs/shared_state.h"
#include "pg/backend/background_worker.h"
#include "pg/backend/settings.h"

extern "C" {
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace epe::jobs {

namespace {

const char* worker_symbol = "";

BackgroundWorkerHandle* started[pg::kMostJobs];  // null: none
bool has_complained = false;

constexpr int kRetryMilliseconds = 1000;
constexpr int kClosedMilliseconds = 5000;
constexpr int kLongestNapMilliseconds = 3'600'000;
/// Old jobs are removed once they exceed the retention by this fraction of it.
constexpr int kRetentionParts = 20;

/// Calls `visit` for each database, with whether it accepts connections; with `only`, for that one.
template <typename Visit>
void visit_databases(Oid only, Visit visit) noexcept {
    StartTransactionCommand();
    (void)GetTransactionSnapshot();
    Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(databases, 0, nullptr);
    for (HeapTuple row = heap_getnext(scan, ForwardScanDirection); HeapTupleIsValid(row);
         row = heap_getnext(scan, ForwardScanDirection)) {
        const auto* database = reinterpret_cast<Form_pg_database>(GETSTRUCT(row));
        if (OidIsValid(only) && database->oid != only) continue;
        visit(database->oid, database->datallowconn);
    }
    table_endscan(scan);
    table_close(databases, AccessShareLock);
    CommitTransactionCommand();
}

enum class Access : std::uint8_t { kNone, kClosed, kOpen };

/// Whether a database exists and accepts connections.
Access access_to(Oid database) noexcept {
    Access access = Access::kNone;
    visit_databases(database,
                    [&](Oid, bool is_open) { access = is_open ? Access::kOpen : Access::kClosed; });
    return access;
}

/// Frees the slots of workers that did not start.
void release_dead_workers() noexcept {
    for (int slot = 0; slot < pg::kMostJobs; ++slot) {
        if (started[slot] == nullptr) continue;
        pid_t pid = 0;
        if (GetBackgroundWorkerPid(started[slot], &pid) != BGWH_STOPPED) continue;
        free_slot(slot);
        pfree(started[slot]);
        started[slot] = nullptr;
    }
}

bool start_worker(int slot, const Assignment& assignment) noexcept {
    BackgroundWorker worker{};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    (void)snprintf(worker.bgw_name, sizeof(worker.bgw_name),
                   "oml_epe job worker of role %u in database %u", assignment.role,
                   assignment.database);
    (void)snprintf(worker.bgw_type, sizeof(worker.bgw_type), "oml_epe job worker");
    (void)snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "oml_epe");
    (void)snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "%s", worker_symbol);
    worker.bgw_main_arg = Int32GetDatum(slot);
    worker.bgw_notify_pid = MyProcPid;
    if (started[slot] != nullptr) pfree(started[slot]);  // of a worker that has ended
    started[slot] = nullptr;
    MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
    const bool is_registered = RegisterDynamicBackgroundWorker(&worker, &started[slot]);
    MemoryContextSwitchTo(caller);
    if (is_registered) {
        has_complained = false;
        return true;
    }
    if (!has_complained)
        ereport(WARNING, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                          errmsg("oml_epe: jobs wait: no background worker slot is free"),
                          errhint("Increase \"max_worker_processes\".")));
    has_complained = true;
    return false;
}

/// Starts the workers that may start; returns how long to wait for the others, `nap` at most.
int start_workers(int nap) noexcept {
    const int most = pg::job_settings().most_jobs;
    Assignment wanted{};
    begin_round();
    while (next_wanted(wanted, nap)) {
        const Access access = access_to(wanted.database);
        if (access == Access::kNone) forget_database(wanted.database);
        if (access == Access::kClosed) postpone(wanted);
        if (access != Access::kOpen) {
            nap = std::min(nap, kClosedMilliseconds);
            continue;
        }
        const int slot = take_slot(wanted, most);
        if (slot < 0) continue;  // the end of a worker wakes the launcher
        if (!start_worker(slot, wanted)) {
            free_slot(slot);
            return std::min(nap, kRetryMilliseconds);
        }
    }
    return nap;
}

void request_maintenance_of_all() noexcept {
    visit_databases(InvalidOid, [](Oid database, bool is_open) {
        if (is_open) request_maintenance(database);
    });
}

void request_maintenance_of_known() noexcept {
    int index = 0;
    while (const Oid database = known_database(index)) request_maintenance(database);
}

int nap_milliseconds() noexcept {
    const int retention = pg::job_settings().retention_seconds;
    if (retention == 0) return kLongestNapMilliseconds;
    return std::clamp(retention / kRetentionParts * 1000, 1000, kLongestNapMilliseconds);
}

void wait_a_while(int milliseconds) noexcept {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ShutdownRequestPending) proc_exit(1);  // 0 would prevent the restart
    if (!ConfigReloadPending) return;
    ConfigReloadPending = 0;
    ProcessConfigFile(PGC_SIGHUP);
    limit_workers(pg::job_settings().most_jobs);
    set_default_cap(pg::job_settings().most_jobs_per_role);
}

}  // namespace

void register_launcher(const char* function, const char* worker_function) noexcept {
    worker_symbol = worker_function;
    if (!pg::may_register_workers()) return;
    BackgroundWorker worker{};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 1;
    (void)snprintf(worker.bgw_name, sizeof(worker.bgw_name), "oml_epe job launcher");
    (void)snprintf(worker.bgw_type, sizeof(worker.bgw_type), "oml_epe job launcher");
    (void)snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "oml_epe");
    (void)snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "%s", function);
    RegisterBackgroundWorker(&worker);
}

void launcher_main() noexcept {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    attach_launcher();
    set_default_cap(pg::job_settings().most_jobs_per_role);
    TimestampTz last_maintenance = GetCurrentTimestamp();
    while (true) {
        release_dead_workers();
        if (take_scan_request()) request_maintenance_of_all();
        const int nap = nap_milliseconds();
        if (TimestampDifferenceExceeds(last_maintenance, GetCurrentTimestamp(), nap)) {
            last_maintenance = GetCurrentTimestamp();
            request_maintenance_of_known();
        }
        wait_a_while(start_workers(nap));
    }
}

}  // namespace epe::jobs
