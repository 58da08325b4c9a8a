// Changes of the script repository: create, drop, grant, revoke.
#include "pg/catalog/script_writer.h"

#include <string>

#include "pg/boundary/boundary.h"
#include "pg/boundary/function_call.h"
#include "pg/boundary/log.h"
#include "pg/catalog/owner_context_internal.h"
#include "pg/catalog/script_store.h"
#include "pg/catalog/script_table_internal.h"

extern "C" {
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/rel.h"
}

namespace epe::pg {

namespace {

/// The parameters of every statement below: $1 owner, $2 name, $3 source, $4 grantee,
/// $5 description.
struct Parameters {
    Oid owner;
    std::string_view name;
    std::string_view source = "";
    Oid grantee = InvalidOid;
    std::optional<std::string_view> description{};
};

std::uint64_t execute(const char* sql, const Parameters& parameters) {
    struct Values {
        Datum items[5];
    };
    const Values values = guarded([parameters]() noexcept {
        return Values{{ObjectIdGetDatum(parameters.owner), text_datum(parameters.name),
                       text_datum(parameters.source), ObjectIdGetDatum(parameters.grantee),
                       text_datum(parameters.description.value_or(std::string_view()))}};
    });
    constexpr Oid kTypes[] = {REGROLEOID, TEXTOID, TEXTOID, REGROLEOID, TEXTOID};
    const char nulls[] = {' ', ' ', ' ', ' ', parameters.description ? ' ' : 'n', '\0'};
    return execute_as_owner({sql, 5, kTypes, values.items, nulls});
}

constexpr char kInsertScript[] =
    "INSERT INTO pyqsys.scripts (owner, name, script, description) VALUES ($1, $2, $3, $5)"
    " ON CONFLICT (owner, name) DO NOTHING";
constexpr char kReplaceScript[] =
    "INSERT INTO pyqsys.scripts (owner, name, script, description) VALUES ($1, $2, $3, $5)"
    " ON CONFLICT (owner, name) DO UPDATE"
    " SET script = excluded.script, description = excluded.description,"
    "     updated = excluded.updated";
constexpr char kDeleteScript[] =
    "DELETE FROM pyqsys.scripts"
    " WHERE owner OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2";
// A no-op update: a concurrent session that drops the script waits and, if its older snapshot does
// not include the grant, fails to serialize instead of leaving it behind.
constexpr char kLockScript[] =
    "UPDATE pyqsys.scripts SET updated = updated"
    " WHERE owner OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2";
constexpr char kInsertGrant[] =
    "INSERT INTO pyqsys.script_grants (owner, name, grantee) VALUES ($1, $2, $4)"
    " ON CONFLICT (owner, name, grantee) DO NOTHING";
constexpr char kDeleteGrant[] =
    "DELETE FROM pyqsys.script_grants"
    " WHERE owner OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
    " AND grantee OPERATOR(pg_catalog.=) $4";
constexpr char kDeleteGrants[] =
    "DELETE FROM pyqsys.script_grants"
    " WHERE owner OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2";

bool has_global_script(std::string_view name) {
    return guarded(
        [name]() noexcept { return has_script(script_tables(), InvalidOid, server_name(name)); });
}

/// The hint applies when a global script has that name.
[[noreturn]] void throw_missing_script(std::string_view name, const char* hint_if_global) {
    throw Error(sqlstate::kUndefinedObject, "script " + quoted(name) + " does not exist",
                has_global_script(name) ? hint_if_global : "");
}

/// The script of the current user, locked against being dropped.
Parameters lock_own_script(std::string_view name) {
    const Parameters script{GetUserId(), name};
    if (execute(kLockScript, script) == 0)
        throw_missing_script(name, "All roles may run the global script of that name.");
    return script;
}

}  // namespace

void require_valid_script(const NewScript& script) {
    require_valid_name(script.name, "script");
    if (script.source.empty())
        throw Error(sqlstate::kInvalidArgument, "script " + quoted(script.name) + " is empty");
}

bool is_trusted_user() {
    const Oid user = GetUserId();
    return guarded([user]() noexcept { return is_trusted_role(user); });
}

bool is_trusted_owner(std::uint32_t role) {
    return guarded([role]() noexcept { return is_trusted_role(role); });
}

void require_trusted_user() {
    if (is_trusted_user()) return;
    throw Error(sqlstate::kInsufficientPrivilege, "permission denied to write global scripts",
                "Global scripts run inside the server, with the rights of its operating-system "
                "user: only superusers and members of role \"pyqadmin\" may write them.");
}

void create_script(const NewScript& script) {
    require_valid_script(script);
    if (script.is_global) require_trusted_user();
    const Parameters row{script.is_global ? InvalidOid : GetUserId(), script.name, script.source,
                         InvalidOid, script.description};
    if (execute(script.may_replace ? kReplaceScript : kInsertScript, row) > 0) return;
    throw Error(sqlstate::kDuplicateObject,
                (script.is_global ? "global script " : "script ") + quoted(script.name) +
                    " already exists",
                "Pass v_overwrite => true to replace it.");
}

void drop_script(std::string_view name, bool is_global, bool is_silent) {
    if (is_global) require_trusted_user();
    const Parameters row{is_global ? InvalidOid : GetUserId(), name};
    if (execute(kDeleteScript, row) > 0 || is_silent) return;
    if (!is_global)
        throw_missing_script(name, "Pass v_global => true to drop the global script of that name.");
    throw Error(sqlstate::kUndefinedObject, "global script " + quoted(name) + " does not exist");
}

void grant_script(std::string_view name, std::optional<std::string_view> role) {
    const Oid grantee = grantee_of(role);
    Parameters row = lock_own_script(name);
    row.grantee = grantee;
    execute(kInsertGrant, row);
}

void revoke_script(std::string_view name, std::optional<std::string_view> role) {
    const Oid grantee = grantee_of(role);
    Parameters row = lock_own_script(name);
    row.grantee = grantee;
    if (execute(role ? kDeleteGrant : kDeleteGrants, row) > 0) return;
    warning("script " + quoted(name) + " is not granted to " +
            (role ? quoted(*role) : std::string("any role")));
}

void note_script_change(const FunctionCall& call) {
    guarded([info = call.info()]() noexcept {
        if (!CALLED_AS_TRIGGER(info)) elog(ERROR, "not called as a trigger");
        const auto* trigger = reinterpret_cast<TriggerData*>(info->context);
        CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
    });
}

}  // namespace epe::pg
