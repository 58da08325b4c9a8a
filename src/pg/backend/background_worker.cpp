// A background worker of the server.
#include "pg/backend/background_worker.h"

#include <csignal>
#include <cstdio>

extern "C" {
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/wait_event.h"
}

namespace epe::pg {

namespace {

// Set in the postmaster; its children inherit it.
bool is_registered = false;

}  // namespace

bool may_register_workers() noexcept {
    return process_shared_preload_libraries_in_progress && !IsBinaryUpgrade;
}

void register_worker(const char* name, const char* function) noexcept {
    if (!may_register_workers()) return;
    BackgroundWorker worker{};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
    worker.bgw_start_time = BgWorkerStart_PostmasterStart;
    worker.bgw_restart_time = 1;
    (void)snprintf(worker.bgw_name, sizeof(worker.bgw_name), "%s", name);
    (void)snprintf(worker.bgw_type, sizeof(worker.bgw_type), "%s", name);
    (void)snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "oml_epe");
    (void)snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "%s", function);
    RegisterBackgroundWorker(&worker);
    is_registered = true;
}

bool has_worker() noexcept { return is_registered; }

void start_worker() noexcept {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    BackgroundWorkerUnblockSignals();
}

WorkerEvent wait_in_worker(int descriptor, long milliseconds) noexcept {
    int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
    if (descriptor >= 0) events |= WL_SOCKET_READABLE;
    if (milliseconds >= 0) events |= WL_TIMEOUT;
    (void)WaitLatchOrSocket(MyLatch, events, descriptor >= 0 ? descriptor : PGINVALID_SOCKET,
                            milliseconds, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ShutdownRequestPending) return WorkerEvent::kStop;
    if (!ConfigReloadPending) return WorkerEvent::kNothing;
    ConfigReloadPending = 0;
    ProcessConfigFile(PGC_SIGHUP);
    return WorkerEvent::kReload;
}

void log_in_worker(const char* text) noexcept {
    ereport(LOG, (errmsg_internal("oml_epe: %s", text)));
}

void end_worker() noexcept { proc_exit(1); }

}  // namespace epe::pg
