// Changes of the script repository: create, drop, grant, revoke.
#include <string>

#include "pg/boundary.h"
#include "pg/function_call.h"
#include "pg/log.h"
#include "pg/script_store.h"
#include "pg/script_table_internal.h"
#include "pg/text_internal.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace epe::pg {

namespace {

constexpr std::size_t kMaxNameLength = 128;  // characters; sql/oml_epe.sql checks it too

Oid tables_owner() noexcept {
    const Oid table = script_tables().scripts;
    const HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", table);
    const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relowner;
    ReleaseSysCache(row);
    return owner;
}

/// While it lives, statements run with the rights of the repository's owner.
class OwnerRights {
   public:
    OwnerRights() {
        const Oid owner = guarded([]() noexcept { return tables_owner(); });
        GetUserIdAndSecContext(&user_, &context_);
        SetUserIdAndSecContext(owner, context_ | SECURITY_LOCAL_USERID_CHANGE);
    }
    ~OwnerRights() { SetUserIdAndSecContext(user_, context_); }
    OwnerRights(const OwnerRights&) = delete;
    OwnerRights& operator=(const OwnerRights&) = delete;

   private:
    Oid user_ = InvalidOid;
    int context_ = 0;
};

/// The parameters of every statement below: $1 owner, $2 name, $3 source, $4 grantee.
struct Parameters {
    Oid owner;
    std::string_view name;
    std::string_view source = "";
    Oid grantee = InvalidOid;
};

Datum text_datum(std::string_view utf8) noexcept {
    std::size_t size = utf8.size();
    const char* converted = from_utf8(utf8.data(), &size);
    return PointerGetDatum(cstring_to_text_with_len(converted, static_cast<int>(size)));
}

/// Runs a statement as the repository's owner and returns the number of its rows. It finds the
/// caller's search_path: whatever a statement names, operators too, is qualified.
std::uint64_t execute(const char* sql, const Parameters& parameters) {
    const OwnerRights rights;
    return guarded([sql, parameters]() noexcept {
        SPI_connect();
        Oid types[] = {REGROLEOID, TEXTOID, TEXTOID, REGROLEOID};
        Datum values[] = {ObjectIdGetDatum(parameters.owner), text_datum(parameters.name),
                          text_datum(parameters.source), ObjectIdGetDatum(parameters.grantee)};
        const int status = SPI_execute_with_args(sql, 4, types, values, nullptr, false, 0);
        if (status < 0) elog(ERROR, "SPI_execute_with_args: %s", SPI_result_code_string(status));
        const std::uint64_t rows = SPI_processed;
        SPI_finish();
        return rows;
    });
}

constexpr char kInsertScript[] =
    "INSERT INTO pyqsys.scripts (owner, name, script) VALUES ($1, $2, $3)"
    " ON CONFLICT (owner, name) DO NOTHING";
constexpr char kReplaceScript[] =
    "INSERT INTO pyqsys.scripts (owner, name, script) VALUES ($1, $2, $3)"
    " ON CONFLICT (owner, name) DO UPDATE"
    " SET script = excluded.script, updated = excluded.updated";
constexpr char kDeleteScript[] =
    "DELETE FROM pyqsys.scripts"
    " WHERE owner OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2";
// Changes nothing: makes another session that drops the script meanwhile wait, and, where it works
// on an older snapshot and so cannot see the grant to delete it, fail to serialize.
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

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

bool has_global_script(std::string_view name) {
    return guarded(
        [name]() noexcept { return has_script(script_tables(), InvalidOid, server_name(name)); });
}

/// The hint is for the case that a global script has that name.
[[noreturn]] void throw_missing_script(std::string_view name, const char* hint_if_global) {
    throw Error(sqlstate::kUndefinedObject, "script " + quoted(name) + " does not exist",
                has_global_script(name) ? hint_if_global : "");
}

/// The script of the current user's, locked against being dropped.
Parameters lock_own_script(std::string_view name) {
    const Parameters script{GetUserId(), name};
    if (execute(kLockScript, script) == 0)
        throw_missing_script(name, "Everybody may run the global script of that name.");
    return script;
}

/// InvalidOid for "public", which no role is called.
Oid required_role(std::string_view name) {
    struct Answer {
        Oid role;
        bool is_known;
    };
    const Answer answer = guarded([name]() noexcept {
        const char* role_name = server_name(name);
        if (pg_strcasecmp(role_name, "public") == 0) return Answer{InvalidOid, true};
        const Oid role = find_role(role_name);
        return Answer{role, OidIsValid(role)};
    });
    if (!answer.is_known)
        throw Error(sqlstate::kUndefinedObject, "role " + quoted(name) + " does not exist");
    return answer.role;
}

std::size_t utf8_length(std::string_view text) noexcept {
    std::size_t length = 0;
    for (const char byte : text) length += (byte & 0xC0) != 0x80;
    return length;
}

}  // namespace

void require_valid_script(const NewScript& script) {
    const std::size_t length = utf8_length(script.name);
    if (length == 0 || length > kMaxNameLength)
        throw Error(sqlstate::kInvalidArgument, "invalid script name",
                    "A name has 1 to 128 characters; this one has " + std::to_string(length) + ".");
    if (script.source.empty())
        throw Error(sqlstate::kInvalidArgument, "script " + quoted(script.name) + " is empty");
}

void require_trusted_user() {
    const Oid user = GetUserId();
    if (guarded([user]() noexcept { return is_trusted_role(user); })) return;
    throw Error(sqlstate::kInsufficientPrivilege, "permission denied to write scripts",
                "Scripts run inside the server, with the rights of its operating-system user: only "
                "superusers and members of role \"pyqadmin\" may write them. Sandboxed scripts for "
                "other roles come with engine processes.");
}

void create_script(const NewScript& script) {
    require_valid_script(script);
    require_trusted_user();
    const Parameters row{script.is_global ? InvalidOid : GetUserId(), script.name, script.source};
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
    const Oid grantee = role ? required_role(*role) : InvalidOid;
    Parameters row = lock_own_script(name);
    row.grantee = grantee;
    execute(kInsertGrant, row);
}

void revoke_script(std::string_view name, std::optional<std::string_view> role) {
    const Oid grantee = role ? required_role(*role) : InvalidOid;
    Parameters row = lock_own_script(name);
    row.grantee = grantee;
    if (execute(role ? kDeleteGrant : kDeleteGrants, row) > 0) return;
    warning("script " + quoted(name) + " is not granted to " +
            (role ? quoted(*role) : std::string("anybody")));
}

void note_script_change(const FunctionCall& call) {
    guarded([info = call.info()]() noexcept {
        if (!CALLED_AS_TRIGGER(info)) elog(ERROR, "not called as a trigger");
        const auto* trigger = reinterpret_cast<TriggerData*>(info->context);
        CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
    });
}

}  // namespace epe::pg
