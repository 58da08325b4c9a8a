// The roles of the session, and its database.
#include "pg/backend/session.h"

extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
}

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"

namespace epe::pg {

std::uint32_t current_role() noexcept { return GetUserId(); }

std::uint32_t session_role() noexcept { return GetSessionUserId(); }

std::uint32_t current_database() noexcept { return MyDatabaseId; }

namespace {

struct Name {
    const char* text;
    std::size_t size;
};

Name in_utf8(const char* name) noexcept {
    if (name == nullptr) return {nullptr, 0};
    std::size_t size = std::strlen(name);
    const char* text = to_utf8(name, &size);
    return {text, size};
}

std::string text_of(Name name, std::uint32_t number) {
    return name.text != nullptr ? std::string(name.text, name.size)
                                : "unknown (OID " + std::to_string(number) + ")";
}

bool may_connect(Oid role) noexcept {
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(DatabaseRelationId, MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
#else
    return pg_database_aclcheck(MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

/// The checks of authentication: rolcanlogin, and a password that has not expired.
bool may_log_in(Oid role) noexcept {
    const HeapTuple row = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(row)) return false;
    bool is_null = false;
    const Datum until = SysCacheGetAttr(AUTHOID, row, Anum_pg_authid_rolvaliduntil, &is_null);
    const bool is_valid = is_null || DatumGetTimestampTz(until) >= GetCurrentTimestamp();
    const bool may = is_valid && reinterpret_cast<Form_pg_authid>(GETSTRUCT(row))->rolcanlogin;
    ReleaseSysCache(row);
    return may && may_connect(role);
}

}  // namespace

bool may_session_user_log_in(const std::string& name) {
    return guarded([wanted = name.c_str()]() noexcept {
        const Oid role = GetSessionUserId();
        const char* found = GetUserNameFromId(role, /* noerr */ true);
        return found != nullptr && std::strcmp(in_utf8(found).text, wanted) == 0 &&
               may_log_in(role);
    });
}

std::string role_name(std::uint32_t role) {
    return text_of(guarded([=]() noexcept { return in_utf8(GetUserNameFromId(role, true)); }),
                   role);
}

std::string database_name(std::uint32_t database) {
    return text_of(guarded([=]() noexcept { return in_utf8(get_database_name(database)); }),
                   database);
}

bool is_current_role_or_superuser(std::uint32_t role) {
    return role == GetUserId() || guarded([]() noexcept { return superuser(); });
}

bool may_see_role(std::uint32_t role) {
    return guarded([=]() noexcept {
        const Oid user = GetUserId();
        return has_privs_of_role(user, role) || has_privs_of_role(user, ROLE_PG_READ_ALL_STATS);
    });
}

CallUser::CallUser() noexcept { GetUserIdAndSecContext(&user_, &context_); }

UserStep::UserStep(CallUser& call) noexcept : call_(call) {
    GetUserIdAndSecContext(&outer_user_, &outer_context_);
    constexpr int kRestrictions = SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION;
    step_user_ = call.user_;
    step_context_ = call.context_ | (outer_context_ & kRestrictions);
    // With another user, SET ROLE would change the role of the session instead of the step's.
    if (step_user_ != outer_user_) step_context_ |= SECURITY_LOCAL_USERID_CHANGE;
    if (step_user_ != outer_user_ || step_context_ != outer_context_)
        SetUserIdAndSecContext(step_user_, step_context_);
}

UserStep::~UserStep() {
    Oid user = InvalidOid;
    int context = 0;
    GetUserIdAndSecContext(&user, &context);
    if (user != step_user_ || context != step_context_) {  // the script has changed the role
        call_.user_ = user;
        call_.context_ = context;
        return;
    }
    if (user != outer_user_ || context != outer_context_)
        SetUserIdAndSecContext(outer_user_, outer_context_);
}

}  // namespace epe::pg
