// Triggers on the tables of the extension.
//
// A replication worker applies rows without statement triggers, and TRUNCATE with them. A BEFORE
// TRUNCATE trigger cannot skip the command, and an error would stop the subscription. So the rows
// are saved before TRUNCATE and inserted again after it; the lock on the table prevents concurrent
// changes.
#include "pg/catalog/table_guard.h"

#include <string>

#include "pg/backend/call_hints.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/function_call.h"
#include "pg/catalog/owner_context.h"

extern "C" {
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "replication/worker_internal.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"
}

namespace epe::pg {

namespace {

const TriggerData* trigger_of(const FunctionCall& call) noexcept {
    if (!CALLED_AS_TRIGGER(call.info())) elog(ERROR, "not called as a trigger");
    return reinterpret_cast<const TriggerData*>(call.info()->context);
}

/// The result of a BEFORE trigger that lets its event proceed.
void* unchanged_row(const TriggerData* trigger) noexcept {
    if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event)) return nullptr;
    return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
                                                      : trigger->tg_trigtuple;
}

bool may_write(Relation table) noexcept {
    return has_privs_of_role(GetUserId(), table->rd_rel->relowner);
}

/// Rows in the binary format have OIDs of the publisher's roles, which may be other roles here.
bool has_foreign_oids() noexcept {
    return IsLogicalWorker() && MySubscription != nullptr && MySubscription->binary;
}

void warn_of_foreign_oids(const TriggerData* trigger) noexcept {
    ereport(WARNING, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("ignored a row of subscription \"%s\" for table \"%s\"",
                             MySubscription->name, RelationGetRelationName(trigger->tg_relation)),
                      errdetail("In the binary format, the row has OIDs of the publisher's roles."),
                      errhint("Set binary = false for the subscription.")));
}

/// The saved rows of a table during TRUNCATE.
struct KeptRows {
    Oid table;
    Tuplestorestate* rows;  ///< a column with the whole row
};

/// Valid in the transaction `of`; rows of an earlier one were freed with it.
struct KeptTables {
    TransactionId of = InvalidTransactionId;
    List* tables = NIL;
};
KeptTables kept;

List* kept_tables() noexcept {
    const TransactionId current = GetTopTransactionId();
    if (kept.of != current) kept = KeptTables{current, NIL};
    return kept.tables;
}

const char* qualified_name(Relation table) noexcept {
    return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)),
                                      RelationGetRelationName(table));
}

TupleDesc row_column(Relation table) noexcept {
    TupleDesc columns = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(columns, 1, "row", table->rd_rel->reltype, -1, 0);
#if PG_VERSION_NUM >= 190000
    TupleDescFinalize(columns);
#endif
    return columns;
}

void require(int code, int wanted, const char* what) noexcept {
    if (code != wanted) elog(ERROR, "%s: %s", what, SPI_result_code_string(code));
}

void keep_rows(Relation table) noexcept {
    List* others = kept_tables();
    const MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
    auto* entry = static_cast<KeptRows*>(palloc(sizeof(KeptRows)));
    entry->table = RelationGetRelid(table);
    entry->rows = tuplestore_begin_heap(false, false, work_mem);
    kept.tables = lcons(entry, others);
    MemoryContextSwitchTo(before);

    require(SPI_connect(), SPI_OK_CONNECT, "SPI_connect");
    TupleDesc columns = row_column(table);
    Portal portal = SPI_cursor_open_with_args(
        nullptr, psprintf("SELECT t FROM ONLY %s AS t", qualified_name(table)), 0, nullptr, nullptr,
        nullptr, false, 0);
    constexpr long kRowsAtOnce = 100;
    while (true) {
        SPI_cursor_fetch(portal, true, kRowsAtOnce);
        if (SPI_processed == 0) break;
        for (std::uint64_t row = 0; row < SPI_processed; ++row) {
            bool is_null = false;
            Datum value =
                SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &is_null);
            tuplestore_putvalues(entry->rows, columns, &value, &is_null);
        }
        SPI_freetuptable(SPI_tuptable);
    }
    SPI_cursor_close(portal);
    require(SPI_finish(), SPI_OK_FINISH, "SPI_finish");
}

/// The rows that were last saved for a table.
Tuplestorestate* take_kept(Oid table) noexcept {
    ListCell* cell = nullptr;
    foreach (cell, kept_tables()) {
        auto* entry = static_cast<KeptRows*>(lfirst(cell));
        if (entry->table != table || entry->rows == nullptr) continue;
        Tuplestorestate* rows = entry->rows;
        entry->rows = nullptr;
        return rows;
    }
    return nullptr;
}

void insert_kept_rows(Relation table) noexcept {
    Tuplestorestate* rows = take_kept(RelationGetRelid(table));
    if (rows == nullptr) return;
    require(SPI_connect(), SPI_OK_CONNECT, "SPI_connect");
    Oid type = table->rd_rel->reltype;
    SPIPlanPtr plan =
        SPI_prepare(psprintf("INSERT INTO %s SELECT ($1).*", qualified_name(table)), 1, &type);
    if (plan == nullptr) elog(ERROR, "SPI_prepare: %s", SPI_result_code_string(SPI_result));
    TupleTableSlot* slot = MakeSingleTupleTableSlot(row_column(table), &TTSOpsMinimalTuple);
    while (tuplestore_gettupleslot(rows, true, false, slot)) {
        bool is_null = false;
        Datum value = slot_getattr(slot, 1, &is_null);
        require(SPI_execute_plan(plan, &value, nullptr, false, 0), SPI_OK_INSERT, "SPI_execute");
    }
    ExecDropSingleTupleTableSlot(slot);
    tuplestore_end(rows);
    require(SPI_finish(), SPI_OK_FINISH, "SPI_finish");
}

/// Whether a change is external. Statements of the extension have the owner's rights.
bool is_replicated() noexcept {
    return SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA && !OwnerRights::are_held();
}

}  // namespace

void require_table_owner(FunctionCall& call) {
    void* row = guarded([&call]() noexcept -> void* {
        const TriggerData* trigger = trigger_of(call);
        if (!may_write(trigger->tg_relation))
            ereport(ERROR,
                    (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                     errmsg("permission denied to write table \"%s\"",
                            RelationGetRelationName(trigger->tg_relation)),
                     errhint("%s", hint_for_table(RelationGetRelationName(trigger->tg_relation)))));
        if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event) && has_foreign_oids()) {
            warn_of_foreign_oids(trigger);
            return nullptr;
        }
        return unchanged_row(trigger);
    });
    call.return_pointer(row);
}

void ignore_replicated_change(FunctionCall& call) {
    const TriggerData* trigger = guarded([&call]() noexcept { return trigger_of(call); });
    void* row = is_replicated() ? nullptr : unchanged_row(trigger);
    call.return_pointer(row);
    if (!is_replicated() || !TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event)) return;
    const bool is_before = TRIGGER_FIRED_BEFORE(trigger->tg_event);
    const OwnerRights rights;
    guarded([trigger, is_before]() noexcept {
        if (is_before)
            keep_rows(trigger->tg_relation);
        else
            insert_kept_rows(trigger->tg_relation);
    });
}

}  // namespace epe::pg
