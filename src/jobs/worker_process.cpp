// What a job worker needs of PostgreSQL as a process.
#include "jobs/worker_process_internal.h"

#include <csignal>

#include "pg/boundary.h"

extern "C" {
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "commands/async.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#else
#include "pgstat.h"
#endif
}

namespace epe::jobs {

using pg::guarded;

namespace {

TimeoutId timer = MAX_TIMEOUTS;
volatile sig_atomic_t is_over_time = 0;

void on_time_over() noexcept {
    is_over_time = 1;
    QueryCancelPending = 1;
    InterruptPending = 1;
    SetLatch(MyLatch);
}

void be_superuser_again() noexcept {
    SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);
    SetSessionAuthorization(BOOTSTRAP_SUPERUSERID, true);
}

}  // namespace

void connect_worker(std::uint32_t database) {
    guarded([=]() noexcept {
        pqsignal(SIGTERM, die);
        pqsignal(SIGHUP, SignalHandlerForConfigReload);
        BackgroundWorkerUnblockSignals();
        BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
        timer = RegisterTimeout(USER_TIMEOUT, on_time_over);
    });
}

void begin_transaction() {
    guarded([]() noexcept {
        // A cancel that came for what is over already.
        QueryCancelPending = 0;
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
        PushActiveSnapshot(GetTransactionSnapshot());
        pgstat_report_activity(STATE_RUNNING, nullptr);
    });
}

void commit_transaction() {
    guarded([]() noexcept {
        PopActiveSnapshot();
        CommitTransactionCommand();
#if PG_VERSION_NUM < 150000
        ProcessCompletedNotifies();
#endif
        be_superuser_again();
#if PG_VERSION_NUM >= 150000
        (void)pgstat_report_stat(false);
#else
        pgstat_report_stat(false);
#endif
        pgstat_report_activity(STATE_IDLE, nullptr);
    });
}

void abort_transaction() noexcept {
    try {
        guarded([]() noexcept {
            AbortCurrentTransaction();
            be_superuser_again();
            pgstat_report_activity(STATE_IDLE, nullptr);
        });
    } catch (const Error&) {
        proc_exit(1);  // nothing in here can be relied on any more
    }
}

void become(std::uint32_t role) {
    guarded([=]() noexcept {
        const HeapTuple row = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
        if (!HeapTupleIsValid(row))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                            errmsg("the role that submitted the job does not exist any more")));
        const bool is_super = reinterpret_cast<Form_pg_authid>(GETSTRUCT(row))->rolsuper;
        ReleaseSysCache(row);
        SetSessionAuthorization(role, is_super);
        SetUserIdAndSecContext(role, SECURITY_LOCAL_USERID_CHANGE);
    });
}

void begin_limits(std::int64_t seconds) {
    is_over_time = 0;
    guarded([=]() noexcept { enable_timeout_after(timer, static_cast<int>(seconds * 1000)); });
}

bool has_timed_out() noexcept { return is_over_time != 0; }

void end_limits() noexcept {
    disable_timeout(timer, false);
    is_over_time = 0;
    QueryCancelPending = 0;
}

bool wait_for_latch(long milliseconds) {
    return guarded([=]() noexcept {
        const int happened = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                                       milliseconds, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        QueryCancelPending = 0;
        CHECK_FOR_INTERRUPTS();
        return (happened & WL_TIMEOUT) == 0;
    });
}

void reload_settings() {
    guarded([]() noexcept {
        CHECK_FOR_INTERRUPTS();
        if (!ConfigReloadPending) return;
        ConfigReloadPending = 0;
        ProcessConfigFile(PGC_SIGHUP);
    });
}

void log_failure(const char* text) noexcept {
    ereport(LOG, (errmsg_internal("oml_epe job worker: %s", text)));
}

}  // namespace epe::jobs
