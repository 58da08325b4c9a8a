// The PostgreSQL process of a job worker.
#include "jobs/worker_process.h"

#include <csignal>

#include "jobs/owner_sql.h"
#include "jobs/utility_hook_internal.h"
#include "pg/boundary/boundary.h"

extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "commands/async.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"
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

Oid own_role = InvalidOid;  // InvalidOid: the bootstrap superuser
bool is_used = false;
ExecutorStart_hook_type previous_start = nullptr;
ProcessUtility_hook_type previous_utility = nullptr;

void on_executor_start(QueryDesc* query, int flags) noexcept {
    if (!is_running_own()) is_used = true;
    if (previous_start != nullptr)
        previous_start(query, flags);
    else
        standard_ExecutorStart(query, flags);
}

void on_utility(EPE_UTILITY_PARAMETERS) noexcept {
    if (!is_running_own()) is_used = true;
    if (previous_utility != nullptr)
        previous_utility(EPE_UTILITY_ARGUMENTS);
    else
        standard_ProcessUtility(EPE_UTILITY_ARGUMENTS);
}

void watch_statements() noexcept {
    previous_start = ExecutorStart_hook;
    ExecutorStart_hook = on_executor_start;
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = on_utility;
}

/// Overrides settings of roles and databases that would end a worker, or prevent it from recording
/// outcomes. A job has a limit of its own.
void override_settings() noexcept {
    static constexpr const char* kSettings[][2] = {
        {"statement_timeout", "0"},
        {"lock_timeout", "0"},
        {"idle_in_transaction_session_timeout", "0"},
#if PG_VERSION_NUM >= 170000
        {"transaction_timeout", "0"},
#endif
        {"default_transaction_read_only", "off"},
        {"default_transaction_deferrable", "off"},
        {"exit_on_error", "off"}
    };
    for (const auto& setting : kSettings)
        (void)set_config_option(setting[0], setting[1], PGC_SUSET, PGC_S_OVERRIDE, GUC_ACTION_SET,
                                true, 0, false);
}

/// The role for monitoring, and for pg_terminate_backend().
void show_role(Oid role) noexcept {
    MyProc->roleId = role;
    volatile PgBackendStatus* entry = MyBEEntry;
    if (entry == nullptr) return;
    PGSTAT_BEGIN_WRITE_ACTIVITY(entry);
    entry->st_userid = role;
    PGSTAT_END_WRITE_ACTIVITY(entry);
}

/// Between transactions, where no security context may be set.
void be_own_role() noexcept {
    SetUserIdAndSecContext(OidIsValid(own_role) ? own_role : BOOTSTRAP_SUPERUSERID, 0);
}

void accept_cancels() noexcept {
    if (QueryCancelHoldoffCount > 0) RESUME_CANCEL_INTERRUPTS();
}

void begin() noexcept {
    QueryCancelPending = 0;  // a cancel for a job that has ended
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
}

void start() noexcept {
    PushActiveSnapshot(GetTransactionSnapshot());
    pgstat_report_activity(STATE_RUNNING, nullptr);
}

}  // namespace

void connect_worker(std::uint32_t database, std::uint32_t role) {
    guarded([=]() noexcept {
        pqsignal(SIGTERM, die);
        pqsignal(SIGHUP, SignalHandlerForConfigReload);
        BackgroundWorkerUnblockSignals();
        BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
        timer = RegisterTimeout(USER_TIMEOUT, on_time_over);
        override_settings();
        own_role = role;
        if (!OidIsValid(role)) return;
        // A background worker bypasses the check of the right to log in here: right_of() is called
        // before each job.
        show_role(role);
        SetSessionAuthorization(role, false);
        be_own_role();
        watch_statements();
    });
}

void begin_own_transaction() {
    guarded([]() noexcept {
        // A cancel is meant for a job, and must not undo its record.
        if (OidIsValid(own_role)) HOLD_CANCEL_INTERRUPTS();
        begin();
        XactIsoLevel = XACT_READ_COMMITTED;
        XactReadOnly = RecoveryInProgress();
        start();
    });
}

void begin_job_transaction() {
    guarded([]() noexcept {
        begin();
        const HeapTuple row = SearchSysCache1(AUTHOID, ObjectIdGetDatum(own_role));
        if (!HeapTupleIsValid(row))
            ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                            errmsg("the role that submitted the job does not exist any more")));
        const bool is_super = reinterpret_cast<Form_pg_authid>(GETSTRUCT(row))->rolsuper;
        ReleaseSysCache(row);
        SetSessionAuthorization(own_role, is_super);
        SetUserIdAndSecContext(own_role, SECURITY_LOCAL_USERID_CHANGE);
        start();
    });
}

void commit_transaction() {
    guarded([]() noexcept {
        PopActiveSnapshot();
        CommitTransactionCommand();
#if PG_VERSION_NUM < 150000
        ProcessCompletedNotifies();
#endif
        accept_cancels();
        be_own_role();
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
            accept_cancels();
            be_own_role();
            pgstat_report_activity(STATE_IDLE, nullptr);
        });
    } catch (const Error&) {
        proc_exit(1);  // the state of this process is unreliable
    }
}

void settle_transaction() {
    guarded([]() noexcept {
        AfterTriggerFireDeferred();
        PortalHashTableDeleteAll();
        AfterTriggerFireDeferred();
        CommandCounterIncrement();
    });
}

void override_setting(const char* name, const char* value) {
    guarded([=]() noexcept {
        (void)set_config_option(name, value, PGC_SUSET, PGC_S_OVERRIDE, GUC_ACTION_SET, true,
                                WARNING, false);
    });
}

void load_libraries() {
    guarded([]() noexcept { process_session_preload_libraries(); });
}

bool is_session_used() noexcept { return is_used; }

void reset_session() {
    guarded([]() noexcept {
        PortalHashTableDeleteAll();
        ResetAllOptions();
        DropAllPreparedStatements();
        Async_UnlistenAll();
        LockReleaseAll(USER_LOCKMETHOD, true);
        ResetPlanCache();
        ResetTempTableNamespace();
        ResetSequenceCaches();
    });
    is_used = false;
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

void nap(long milliseconds) {
    guarded([=]() noexcept {
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    });
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
