// Notifies the launcher and the workers when a session's transaction ends.
#include "jobs/commit_hooks.h"

#include "jobs/queues.h"
#include "jobs/utility_hook_internal.h"
#include "jobs/worker_slots.h"

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

enum class NoteKind : std::uint8_t { kSubmission, kStop, kMaintenance };

/// A notification for the commit of the transaction.
struct Note {
    Note* next;
    SubTransactionId subtransaction;
    NoteKind kind;
    Oid role;            // of a submission
    std::int64_t count;  // of submissions
    JobId job;           // to be stopped
};

bool is_registered = false;
Note* notes = nullptr;         // in TopTransactionContext, the latest first
bool has_rolled_back = false;  // after a rollback of a stop, rows locked for it are free again
bool has_changed_settings = false;
ProcessUtility_hook_type previous_utility = nullptr;

void tell(const Note& note) noexcept {
    if (note.kind == NoteKind::kSubmission) announce(MyDatabaseId, note.role, note.count);
    if (note.kind == NoteKind::kStop) stop_job(note.job);
    if (note.kind == NoteKind::kMaintenance) request_maintenance(MyDatabaseId);
}

void on_transaction(XactEvent event, void*) noexcept {
    const bool is_commit = event == XACT_EVENT_COMMIT;
    if (!is_commit && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE) return;
    const bool has_notes = notes != nullptr;
    bool has_stops = has_rolled_back;
    for (const Note* each = notes; each != nullptr; each = each->next) {
        if (is_commit) tell(*each);
        has_stops = has_stops || each->kind == NoteKind::kStop;
    }
    if (is_commit && has_changed_settings) forget_caps();
    if (is_commit && has_notes) announce_change();
    // Workers skip a queued job while its row is locked; changes may wait for the row too.
    if (has_stops && event == XACT_EVENT_ABORT) request_maintenance(MyDatabaseId);
    if (has_stops && is_commit) {
        if (has_rolled_back)
            request_maintenance(MyDatabaseId);
        else
            request_maintenance_if_changes_wait(MyDatabaseId);
    }
    notes = nullptr;
    has_rolled_back = false;
    has_changed_settings = false;
}

void on_subtransaction(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                       void*) noexcept {
    // The notes of one subtransaction are the latest ones when it ends.
    for (Note* each = notes; each != nullptr && each->subtransaction == own; each = each->next) {
        if (event == SUBXACT_EVENT_COMMIT_SUB) each->subtransaction = parent;
        if (event != SUBXACT_EVENT_ABORT_SUB) continue;
        has_rolled_back = has_rolled_back || each->kind == NoteKind::kStop;
        notes = each->next;
    }
}

void require_callbacks() noexcept {
    if (is_registered) return;
    RegisterXactCallback(on_transaction, nullptr);
    RegisterSubXactCallback(on_subtransaction, nullptr);
    is_registered = true;
}

Note& add_note(NoteKind kind) noexcept {
    require_callbacks();
    auto* note = static_cast<Note*>(MemoryContextAllocZero(TopTransactionContext, sizeof(Note)));
    note->next = notes;
    note->subtransaction = GetCurrentSubTransactionId();
    note->kind = kind;
    notes = note;
    return *note;
}

/// ALTER ROLE or DATABASE ... SET may change the maximum number of a role's jobs.
bool is_setting_change(const PlannedStmt* statement) noexcept {
    const Node* node = statement->utilityStmt;
    return node != nullptr && (IsA(node, AlterRoleSetStmt) || IsA(node, AlterDatabaseSetStmt));
}

bool is_commit_prepared(const PlannedStmt* statement) noexcept {
    const Node* node = statement->utilityStmt;
    return node != nullptr && IsA(node, TransactionStmt) &&
           reinterpret_cast<const TransactionStmt*>(node)->kind == TRANS_STMT_COMMIT_PREPARED;
}

void on_utility(EPE_UTILITY_PARAMETERS) noexcept {
    const bool is_commit = is_commit_prepared(statement);
    if (is_setting_change(statement) && has_shared_state()) {
        require_callbacks();
        has_changed_settings = true;
    }
    if (previous_utility != nullptr)
        previous_utility(EPE_UTILITY_ARGUMENTS);
    else
        standard_ProcessUtility(EPE_UTILITY_ARGUMENTS);
    // Whether it submitted or deleted jobs, or changed settings, is unknown.
    if (is_commit && has_shared_state()) {
        request_maintenance(MyDatabaseId);
        forget_caps();
    }
}

}  // namespace

void watch_prepared_transactions() noexcept {
    if (!process_shared_preload_libraries_in_progress) return;
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = on_utility;
}

void announce_at_commit(std::uint32_t role) noexcept {
    Note* last = notes;
    const bool is_more = last != nullptr && last->kind == NoteKind::kSubmission &&
                         last->role == role && last->subtransaction == GetCurrentSubTransactionId();
    Note& note = is_more ? *last : add_note(NoteKind::kSubmission);
    note.role = role;
    ++note.count;
}

void stop_at_commit(const JobId& job) noexcept {
    if (has_shared_state()) add_note(NoteKind::kStop).job = job;
}

void maintain_at_commit() noexcept {
    if (has_shared_state()) (void)add_note(NoteKind::kMaintenance);
}

}  // namespace epe::jobs
