// Checks whether a role still has the rights that its jobs need.
#include "jobs/rights.h"

#include <string>

#include "pg/backend/session.h"

extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
}

namespace epe::jobs {

namespace {

bool may_connect(Oid role) noexcept {
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(DatabaseRelationId, MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
#else
    return pg_database_aclcheck(MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

}  // namespace

Right right_of(std::uint32_t role) noexcept {
    const HeapTuple row = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(row)) return Right::kNoRole;
    bool is_null = false;
    const Datum until = SysCacheGetAttr(AUTHOID, row, Anum_pg_authid_rolvaliduntil, &is_null);
    const bool is_expired = !is_null && DatumGetTimestampTz(until) < GetCurrentTimestamp();
    const bool has_login = reinterpret_cast<Form_pg_authid>(GETSTRUCT(row))->rolcanlogin;
    ReleaseSysCache(row);
    if (!has_login) return Right::kNoLogin;
    if (is_expired) return Right::kExpired;
    return may_connect(role) ? Right::kMay : Right::kNoConnect;
}

bool is_database_open() noexcept {
    const HeapTuple row = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
    if (!HeapTupleIsValid(row)) return false;
    const bool is_open = reinterpret_cast<Form_pg_database>(GETSTRUCT(row))->datallowconn;
    ReleaseSysCache(row);
    return is_open;
}

ErrorReport refusal(Right right, std::uint32_t role) {
    ErrorReport error;
    error.sqlstate = sqlstate::kInvalidAuthorization;
    error.message = "the role that submitted the job does not exist any more";
    if (right == Right::kNoRole) return error;
    const std::string name = "role \"" + pg::role_name(role) + "\"";
    error.message = name + " may not log in any more";
    if (right == Right::kNoLogin) error.detail = "It has lost its attribute LOGIN.";
    if (right == Right::kExpired) error.detail = "The time of its VALID UNTIL has passed.";
    if (right == Right::kNoConnect)
        error.detail = "It has lost its privilege CONNECT on database \"" +
                       pg::database_name(pg::current_database()) + "\".";
    return error;
}

}  // namespace epe::jobs
