// Changes of datastores.
#include "pg/catalog/datastore.h"

#include <string>

#include "pg/boundary/boundary.h"
#include "pg/boundary/function_call.h"
#include "pg/boundary/log.h"
#include "pg/catalog/owner_context_internal.h"

extern "C" {
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace epe::pg {

namespace {

/// The parameters of every statement below: $1 owner, $2 name of the store, $3 grantee,
/// $4 description, $5 is_grantable.
struct Store {
    Oid owner = GetUserId();
    std::string_view name;
    Oid grantee = InvalidOid;
    std::optional<std::string_view> description{};
    bool is_grantable = false;
};

std::uint64_t execute(const char* sql, const Store& store) {
    struct Values {
        Datum items[5];
    };
    const Values values = guarded([store]() noexcept {
        return Values{{ObjectIdGetDatum(store.owner), text_datum(store.name),
                       ObjectIdGetDatum(store.grantee),
                       text_datum(store.description.value_or(std::string_view())),
                       BoolGetDatum(store.is_grantable)}};
    });
    constexpr Oid kTypes[] = {REGROLEOID, TEXTOID, REGROLEOID, TEXTOID, BOOLOID};
    const char nulls[] = {' ', ' ', ' ', store.description ? ' ' : 'n', ' ', '\0'};
    return execute_as_owner({sql, 5, kTypes, values.items, nulls});
}

/// A statement whose last parameter is an argument of the call, unchanged; $1 and $2 are as above.
std::uint64_t execute_with(const char* sql, const Store& store, Oid type, Datum argument) {
    struct Values {
        Datum items[3];
    };
    const Values values = guarded([store, argument]() noexcept {
        return Values{{ObjectIdGetDatum(store.owner), text_datum(store.name), argument}};
    });
    const Oid types[] = {REGROLEOID, TEXTOID, type};
    return execute_as_owner({sql, 3, types, values.items});
}

constexpr char kDiscardPieces[] =
    "DELETE FROM pyqsys.datastore_pieces AS p"
    " WHERE p.owner OPERATOR(pg_catalog.=) $1 AND p.object OPERATOR(pg_catalog.=) $2"
    " AND NOT EXISTS (SELECT FROM pyqsys.datastore_objects AS o"
    "                 WHERE o.owner OPERATOR(pg_catalog.=) $1"
    "                     AND o.object OPERATOR(pg_catalog.=) $2)";

constexpr char kInsertStore[] =
    "INSERT INTO pyqsys.datastores (owner, name, description, is_grantable)"
    " VALUES ($1, $2, $4, $5) ON CONFLICT (owner, name) DO NOTHING";
// Concurrent appends do not block each other; an overwrite or a delete blocks appends, and vice
// versa. A key share lock on the row is enough: it only has to prevent its deletion.
constexpr char kShareStore[] =
    "SELECT FROM pyqsys.datastores AS d WHERE d.owner OPERATOR(pg_catalog.=) $1"
    " AND d.name OPERATOR(pg_catalog.=) $2 FOR KEY SHARE";
constexpr char kLockStore[] =
    "SELECT FROM pyqsys.datastores AS d WHERE d.owner OPERATOR(pg_catalog.=) $1"
    " AND d.name OPERATOR(pg_catalog.=) $2 FOR UPDATE";
constexpr char kReplaceStore[] =
    "UPDATE pyqsys.datastores AS d SET description = $4, is_grantable = $5, created = DEFAULT"
    " WHERE d.owner OPERATOR(pg_catalog.=) $1 AND d.name OPERATOR(pg_catalog.=) $2";
constexpr char kDeleteStore[] =
    "DELETE FROM pyqsys.datastores AS d"
    " WHERE d.owner OPERATOR(pg_catalog.=) $1 AND d.name OPERATOR(pg_catalog.=) $2";
constexpr char kDeleteAllObjects[] =
    "DELETE FROM pyqsys.datastore_objects AS o USING pyqsys.datastores AS d"
    " WHERE d.owner OPERATOR(pg_catalog.=) $1 AND d.name OPERATOR(pg_catalog.=) $2"
    " AND o.store OPERATOR(pg_catalog.=) d.id";
constexpr char kDeleteObjects[] =
    "DELETE FROM pyqsys.datastore_objects AS o USING pyqsys.datastores AS d"
    " WHERE d.owner OPERATOR(pg_catalog.=) $1 AND d.name OPERATOR(pg_catalog.=) $2"
    " AND o.store OPERATOR(pg_catalog.=) d.id AND o.name OPERATOR(pg_catalog.=) ANY ($3)";
// Sorted, so that concurrent appends of the same names cannot deadlock.
constexpr char kInsertObjects[] =
    "INSERT INTO pyqsys.datastore_objects (store, name, owner, object, class, size, length,"
    "        nrow, ncol, parts, is_compressed)"
    " SELECT d.id, o.name, d.owner, o.object, o.class, o.size, o.length, o.nrow, o.ncol, o.parts,"
    "        o.is_compressed"
    " FROM pyqsys.datastores AS d,"
    "     pg_catalog.jsonb_to_recordset($3) AS o(name pg_catalog.text, object pg_catalog.uuid,"
    "         class pg_catalog.text, size pg_catalog.int8, length pg_catalog.int8,"
    "         nrow pg_catalog.int8, ncol pg_catalog.int8, parts pg_catalog.int8[],"
    "         is_compressed pg_catalog.bool)"
    " WHERE d.owner OPERATOR(pg_catalog.=) $1 AND d.name OPERATOR(pg_catalog.=) $2"
    " ORDER BY o.name"
    " ON CONFLICT (store, name) DO UPDATE SET object = excluded.object, class = excluded.class,"
    "     size = excluded.size, length = excluded.length, nrow = excluded.nrow,"
    "     ncol = excluded.ncol, parts = excluded.parts, is_compressed = excluded.is_compressed";

constexpr char kShareGrantable[] =
    "SELECT FROM pyqsys.datastores AS d WHERE d.owner OPERATOR(pg_catalog.=) $1"
    " AND d.name OPERATOR(pg_catalog.=) $2 AND d.is_grantable FOR KEY SHARE";
constexpr char kInsertGrant[] =
    "INSERT INTO pyqsys.datastore_grants (store, owner, grantee)"
    " SELECT d.id, d.owner, $3 FROM pyqsys.datastores AS d"
    " WHERE d.owner OPERATOR(pg_catalog.=) $1 AND d.name OPERATOR(pg_catalog.=) $2"
    " ON CONFLICT (store, grantee) DO NOTHING";
constexpr char kDeleteGrant[] =
    "DELETE FROM pyqsys.datastore_grants AS g USING pyqsys.datastores AS d"
    " WHERE d.owner OPERATOR(pg_catalog.=) $1 AND d.name OPERATOR(pg_catalog.=) $2"
    " AND g.store OPERATOR(pg_catalog.=) d.id AND g.grantee OPERATOR(pg_catalog.=) $3";
constexpr char kDeleteGrants[] =
    "DELETE FROM pyqsys.datastore_grants AS g USING pyqsys.datastores AS d"
    " WHERE d.owner OPERATOR(pg_catalog.=) $1 AND d.name OPERATOR(pg_catalog.=) $2"
    " AND g.store OPERATOR(pg_catalog.=) d.id";

struct Piece {
    Oid owner;
    Datum object;
    Datum number;
    Datum data;
};

/// Like INSERT, but without the copies of the data that its planner makes. The table has no checks
/// or triggers that an INSERT would run. The columns are as in sql/30_datastores.sql.
void insert_piece(const Piece& piece) noexcept {
    PreventCommandIfReadOnly("pyqsys.datastore_write()");
    const Oid schema = get_namespace_oid("pyqsys", false);
    const Oid table = get_relname_relid("datastore_pieces", schema);
    if (!OidIsValid(table))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("extension \"oml_epe\" is not created in this database")));
    Relation relation = table_open(table, RowExclusiveLock);
    Datum values[] = {ObjectIdGetDatum(piece.owner), piece.object, piece.number, piece.data};
    bool nulls[] = {false, false, false, false};
    HeapTuple row = heap_form_tuple(RelationGetDescr(relation), values, nulls);
    CatalogTupleInsert(relation, row);
    heap_freetuple(row);
    table_close(relation, NoLock);
    CommandCounterIncrement();
}

Datum argument_of(const FunctionCall& call, int number) noexcept {
    return call.info()->args[number].value;
}

std::string required_name(const FunctionCall& call) {
    auto name = call.text(0);
    if (!name) throw Error(sqlstate::kInvalidArgument, "name must not be null");
    return *std::move(name);
}

[[noreturn]] void throw_missing(std::string_view name) {
    throw Error(sqlstate::kUndefinedObject, "datastore " + quoted(name) + " does not exist");
}

/// The store for appended objects, created if it does not exist and locked against deletion.
void require_store(const Store& store) {
    constexpr int kMostAttempts = 100;  // each means that another session has deleted it meanwhile
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
        execute(kInsertStore, store);
        if (execute(kShareStore, store) > 0) return;
    }
    throw Error("40001",
                "datastore " + quoted(store.name) + " was repeatedly deleted by other sessions");
}

void replace_store(const Store& store) {
    if (execute(kInsertStore, store) > 0) return;
    if (execute(kLockStore, store) == 0) {  // deleted meanwhile
        require_store(store);
        execute(kLockStore, store);
    }
    execute(kReplaceStore, store);
    execute(kDeleteAllObjects, store);
    if (!store.is_grantable) execute(kDeleteGrants, store);
}

void create_store(const Store& store) {
    if (execute(kInsertStore, store) > 0) return;
    throw Error(sqlstate::kDuplicateObject, "datastore " + quoted(store.name) + " already exists",
                "Pass append=True to add to it, or overwrite=True to replace it.");
}

}  // namespace

void write_datastore_piece(const FunctionCall& call) {
    const Oid user = GetUserId();
    const Datum object = argument_of(call, 0);
    const Datum number = argument_of(call, 1);
    const Datum data = argument_of(call, 2);
    guarded([=]() noexcept { insert_piece({user, object, number, data}); });
}

void discard_datastore_pieces(const FunctionCall& call) {
    const Oid types[] = {REGROLEOID, UUIDOID};
    const Datum values[] = {ObjectIdGetDatum(GetUserId()), argument_of(call, 0)};
    execute_as_owner({kDiscardPieces, 2, types, values});
}

void save_datastore(const FunctionCall& call) {
    const std::string name = required_name(call);
    const std::string mode = call.text(2).value_or("");
    const auto description = call.text(3);
    require_valid_name(name, "datastore");
    Store store{.name = name};
    if (description) store.description = *description;
    store.is_grantable = call.boolean(4).value_or(false);
    if (call.is_null(1)) throw Error(sqlstate::kInvalidArgument, "objects must not be null");
    if (mode == "create")
        create_store(store);
    else if (mode == "overwrite")
        replace_store(store);
    else if (mode == "append")
        require_store(store);
    else
        throw Error(sqlstate::kInvalidArgument, "unknown mode \"" + mode + "\"");
    execute_with(kInsertObjects, store, JSONBOID, argument_of(call, 1));
}

std::int64_t delete_from_datastore(const FunctionCall& call) {
    const std::string name = required_name(call);
    const Store store{.name = name};
    if (call.is_null(1)) {
        if (execute(kDeleteStore, store) == 0) throw_missing(name);
        return 1;
    }
    if (execute(kShareStore, store) == 0) throw_missing(name);
    return static_cast<std::int64_t>(
        execute_with(kDeleteObjects, store, TEXTARRAYOID, argument_of(call, 1)));
}

void grant_datastore(std::string_view name, std::optional<std::string_view> role) {
    const Store store{.name = name, .grantee = grantee_of(role)};
    if (execute(kShareGrantable, store) == 0) {
        if (execute(kShareStore, store) == 0) throw_missing(name);
        throw Error(sqlstate::kNotInState, "datastore " + quoted(name) + " is not grantable",
                    "Save it with grantable=True.");
    }
    execute(kInsertGrant, store);
}

void revoke_datastore(std::string_view name, std::optional<std::string_view> role) {
    const Store store{.name = name, .grantee = grantee_of(role)};
    if (execute(kShareStore, store) == 0) throw_missing(name);
    if (execute(role ? kDeleteGrant : kDeleteGrants, store) > 0) return;
    warning("datastore " + quoted(name) + " is not granted to " +
            (role ? quoted(*role) : std::string("any role")));
}

}  // namespace epe::pg
