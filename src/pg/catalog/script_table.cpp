// The tables of the script repository, read without SQL. All functions are leaves.
#include "pg/catalog/script_table_internal.h"

#include "pg/boundary/encoding_internal.h"
#include "pg/catalog/script_store.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace epe::pg {

namespace {

// Columns by position, as sql/20_scripts.sql defines them. Both keys begin with (owner, name).
constexpr AttrNumber kOwner = 1;
constexpr AttrNumber kName = 2;
constexpr AttrNumber kScript = 3;   // scripts
constexpr AttrNumber kGrantee = 3;  // script_grants

/// An open scan of one of the tables.
struct Scan {
    Relation table;
    SysScanDesc rows;

    HeapTuple next() noexcept { return systable_getnext(rows); }
    Datum value(HeapTuple row, AttrNumber column) noexcept {
        bool is_null = false;  // never: every column that is read is NOT NULL
        return heap_getattr(row, column, RelationGetDescr(table), &is_null);
    }
    void close() noexcept {
        systable_endscan(rows);
        table_close(table, AccessShareLock);
    }
};

Scan scan_by_key(Oid table_oid, Oid key_oid, Oid owner, const char* name) noexcept {
    Scan scan{table_open(table_oid, AccessShareLock), nullptr};
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], kOwner, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(owner));
    // ScanKeyInit compares by collation "C", which the column has.
    ScanKeyInit(&keys[1], kName, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
    scan.rows = systable_beginscan(scan.table, key_oid, true, nullptr, 2, keys);
    return scan;
}

const char* utf8_copy(const char* server_text, std::size_t* size) noexcept {
    *size = std::strlen(server_text);
    return to_utf8(server_text, size);
}

bool is_granted(const ScriptTables& tables, Oid owner, const char* name, Oid user) noexcept {
    Scan scan = scan_by_key(tables.grants, tables.grants_key, owner, name);
    bool granted = false;
    for (HeapTuple row = scan.next(); !granted && HeapTupleIsValid(row); row = scan.next()) {
        const Oid grantee = DatumGetObjectId(scan.value(row, kGrantee));
        granted = !OidIsValid(grantee) || has_privs_of_role(user, grantee);
    }
    scan.close();
    return granted;
}

bool may_run(const ScriptTables& tables, Oid owner, const char* name, Oid user) noexcept {
    return !OidIsValid(owner) || has_privs_of_role(user, owner) ||
           is_granted(tables, owner, name, user);
}

const char* owner_name(Oid owner) noexcept {
    return OidIsValid(owner) ? GetUserNameFromId(owner, true) : kGlobalOwner.data();
}

/// Leaves `found` unchanged when there is no such row.
void read_script(const ScriptTables& tables, Oid owner, const char* name,
                 FoundScript& found) noexcept {
    Scan scan = scan_by_key(tables.scripts, tables.scripts_key, owner, name);
    const HeapTuple row = scan.next();
    if (HeapTupleIsValid(row)) {
        std::size_t name_size = 0;
        const char* role_name = owner_name(owner);
        found.result = role_name == nullptr ? LookUpResult::kNoRole : LookUpResult::kFound;
        if (role_name != nullptr) found.owner_name = utf8_copy(role_name, &name_size);
        found.owner = owner;
        found.source = utf8_copy(TextDatumGetCString(scan.value(row, kScript)), &found.source_size);
        // Only trusted roles can write global scripts.
        found.is_trusted = !OidIsValid(owner) || is_trusted_role(owner);
    }
    scan.close();
}

}  // namespace

ScriptTables script_tables() noexcept {
    const Oid schema = get_namespace_oid("pyqsys", true);
    ScriptTables tables{};
    if (OidIsValid(schema)) {
        tables.scripts = get_relname_relid("scripts", schema);
        tables.scripts_key = get_relname_relid("scripts_key", schema);
        tables.grants = get_relname_relid("script_grants", schema);
        tables.grants_key = get_relname_relid("script_grants_key", schema);
    }
    if (!OidIsValid(tables.scripts) || !OidIsValid(tables.scripts_key) ||
        !OidIsValid(tables.grants) || !OidIsValid(tables.grants_key))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("extension \"oml_epe\" is not created in this database")));
    return tables;
}

const char* server_name(std::string_view utf8) noexcept {
    std::size_t size = utf8.size();
    const char* converted = from_utf8(utf8.data(), &size);
    return pnstrdup(converted, size);
}

Oid find_role(const char* name) noexcept {
    const Oid exact = get_role_oid(name, true);
    if (OidIsValid(exact)) return exact;
    return get_role_oid(
        downcase_truncate_identifier(name, static_cast<int>(std::strlen(name)), false), true);
}

bool is_trusted_role(Oid role) noexcept {
    if (superuser_arg(role)) return true;
    const Oid administrators = get_role_oid("pyqadmin", true);
    return OidIsValid(administrators) && has_privs_of_role(role, administrators);
}

FoundScript look_up_script(const ScriptTables& tables, const ScriptQuery& query) noexcept {
    FoundScript found;
    if (query.owner == nullptr) {
        read_script(tables, query.user, query.name, found);
        if (found.result != LookUpResult::kFound)
            read_script(tables, InvalidOid, query.name, found);
        return found;
    }
    Oid owner = InvalidOid;
    if (pg_strcasecmp(query.owner, kGlobalOwner.data()) != 0) {
        owner = find_role(query.owner);
        if (!OidIsValid(owner)) {
            found.result = LookUpResult::kNoRole;
            return found;
        }
    }
    if (may_run(tables, owner, query.name, query.user))
        read_script(tables, owner, query.name, found);
    return found;
}

NearMiss find_near_miss(const ScriptTables& tables, const ScriptQuery& query) noexcept {
    NearMiss near;
    std::size_t size = 0;
    Scan scan{table_open(tables.scripts, AccessShareLock), nullptr};
    scan.rows = systable_beginscan(scan.table, InvalidOid, false, nullptr, 0, nullptr);
    for (HeapTuple row = scan.next(); HeapTupleIsValid(row); row = scan.next()) {
        const char* name = TextDatumGetCString(scan.value(row, kName));
        if (pg_strcasecmp(name, query.name) != 0) continue;
        const Oid owner = DatumGetObjectId(scan.value(row, kOwner));
        const char* role_name = owner_name(owner);
        if (role_name == nullptr || !may_run(tables, owner, name, query.user)) continue;
        if (std::strcmp(name, query.name) == 0)
            near.owner = utf8_copy(role_name, &size);
        else
            near.name = utf8_copy(name, &size);
    }
    scan.close();
    return near;
}

bool has_script(const ScriptTables& tables, Oid owner, const char* name) noexcept {
    Scan scan = scan_by_key(tables.scripts, tables.scripts_key, owner, name);
    const bool found = HeapTupleIsValid(scan.next());
    scan.close();
    return found;
}

}  // namespace epe::pg
