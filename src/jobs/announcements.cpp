// What a session tells the workers when its transaction commits.
#include "jobs/announcements.h"

extern "C" {
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
}

namespace epe::jobs {

namespace {

struct Stops {
    Stops* next;
    JobId job;
};

bool is_registered = false;
std::int64_t submitted = 0;  // in this transaction
Stops* stops = nullptr;      // in TopTransactionContext
ProcessUtility_hook_type previous_utility = nullptr;

/// A subtransaction that was rolled back may have counted: then a worker looks in vain.
void on_transaction(XactEvent event, void*) noexcept {
    if (event == XACT_EVENT_COMMIT) {
        if (submitted > 0) announce(MyDatabaseId, submitted, false);
        for (const Stops* each = stops; each != nullptr; each = each->next) stop_job(each->job);
        if (stops != nullptr) tell_change();
    }
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
        submitted = 0;
        stops = nullptr;
    }
}

void require_callback() noexcept {
    if (is_registered) return;
    RegisterXactCallback(on_transaction, nullptr);
    is_registered = true;
}

bool is_commit_prepared(const PlannedStmt* statement) noexcept {
    const Node* node = statement->utilityStmt;
    return node != nullptr && IsA(node, TransactionStmt) &&
           reinterpret_cast<const TransactionStmt*>(node)->kind == TRANS_STMT_COMMIT_PREPARED;
}

#if PG_VERSION_NUM >= 140000
#define EPE_UTILITY_PARAMETERS                                                                  \
    PlannedStmt *statement, const char *text, bool is_read_only, ProcessUtilityContext context, \
        ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver,        \
        QueryCompletion *completion
#define EPE_UTILITY_ARGUMENTS \
    statement, text, is_read_only, context, parameters, environment, receiver, completion
#else
#define EPE_UTILITY_PARAMETERS                                                           \
    PlannedStmt *statement, const char *text, ProcessUtilityContext context,             \
        ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, \
        QueryCompletion *completion
#define EPE_UTILITY_ARGUMENTS \
    statement, text, context, parameters, environment, receiver, completion
#endif

void on_utility(EPE_UTILITY_PARAMETERS) noexcept {
    const bool is_commit = is_commit_prepared(statement);
    if (previous_utility != nullptr)
        previous_utility(EPE_UTILITY_ARGUMENTS);
    else
        standard_ProcessUtility(EPE_UTILITY_ARGUMENTS);
    // Whether it submitted or deleted jobs is not known: a worker looks.
    if (is_commit) announce(MyDatabaseId, 0, true);
}

}  // namespace

void watch_prepared_transactions() noexcept {
    if (!process_shared_preload_libraries_in_progress) return;
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = on_utility;
}

void announce_at_commit() noexcept {
    require_callback();
    ++submitted;
}

void stop_at_commit(const JobId& job) noexcept {
    if (!has_shared_state()) return;
    require_callback();
    auto* each = static_cast<Stops*>(MemoryContextAlloc(TopTransactionContext, sizeof(Stops)));
    each->next = stops;
    each->job = job;
    stops = each;
}

}  // namespace epe::jobs
