// Access to tables that only their owner may write, on behalf of the calling user.
#include "pg/catalog/owner_context.h"

#include <algorithm>
#include <iterator>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/catalog/owner_context_internal.h"
#include "pg/catalog/script_table_internal.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
}

namespace epe::pg {

namespace {

constexpr std::size_t kMaxNameLength = 128;  // characters; sql/20_scripts.sql checks it too

int holders = 0;

Oid tables_owner() noexcept {
    const Oid table = script_tables().scripts;
    const HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", table);
    const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relowner;
    ReleaseSysCache(row);
    return owner;
}

std::size_t utf8_length(std::string_view text) noexcept {
    std::size_t length = 0;
    for (const char byte : text) length += (byte & 0xC0) != 0x80;
    return length;
}

}  // namespace

OwnerRights::OwnerRights() {
    const Oid owner = guarded([]() noexcept { return tables_owner(); });
    GetUserIdAndSecContext(&user_, &context_);
    SetUserIdAndSecContext(owner, context_ | SECURITY_LOCAL_USERID_CHANGE);
    ++holders;
}

OwnerRights::~OwnerRights() {
    --holders;
    SetUserIdAndSecContext(user_, context_);
}

bool OwnerRights::are_held() noexcept { return holders > 0; }

void add_update_hint(Error& error) {
    constexpr std::string_view kMissing[] = {"42P01", "42703", "42883", "42704"};
    ErrorReport& report = error.report();
    if (std::find(std::begin(kMissing), std::end(kMissing), report.sqlstate) == std::end(kMissing))
        return;
    report.hint = "Objects of extension \"oml_epe\" are older than its library: run "
                  "ALTER EXTENSION oml_epe UPDATE in this database.";
}

namespace {

std::uint64_t execute(const OwnerStatement& statement) {
    return guarded([statement]() noexcept {
        SPI_connect();
        const int status =
            SPI_execute_with_args(statement.sql, statement.count, const_cast<Oid*>(statement.types),
                                  const_cast<Datum*>(statement.values), statement.nulls, false, 0);
        if (status < 0) elog(ERROR, "SPI_execute_with_args: %s", SPI_result_code_string(status));
        const std::uint64_t rows = SPI_processed;
        SPI_finish();
        return rows;
    });
}

}  // namespace

std::uint64_t execute_as_owner(const OwnerStatement& statement) {
    const OwnerRights rights;
    try {
        return execute(statement);
    } catch (PgError& error) {
        add_update_hint(error);
        throw;
    }
}

Datum text_datum(std::string_view utf8) noexcept {
    std::size_t size = utf8.size();
    const char* converted = from_utf8(utf8.data(), &size);
    return PointerGetDatum(cstring_to_text_with_len(converted, static_cast<int>(size)));
}

Oid grantee_of(std::optional<std::string_view> name) {
    if (!name) return InvalidOid;
    struct Answer {
        Oid role;
        bool is_known;
    };
    const Answer answer = guarded([text = *name]() noexcept {
        const char* role_name = server_name(text);
        // A role may be named "PUBLIC", but not "public".
        const bool is_everybody =
            pg_strcasecmp(role_name, "public") == 0 && !OidIsValid(get_role_oid(role_name, true));
        if (is_everybody) return Answer{InvalidOid, true};
        const Oid role = find_role(role_name);
        return Answer{role, OidIsValid(role)};
    });
    if (!answer.is_known)
        throw Error(sqlstate::kUndefinedObject, "role " + quoted(*name) + " does not exist");
    return answer.role;
}

void require_valid_name(std::string_view name, const char* kind) {
    const std::size_t length = utf8_length(name);
    if (length > 0 && length <= kMaxNameLength) return;
    throw Error(sqlstate::kInvalidArgument, std::string("invalid ") + kind + " name",
                "A name has 1 to 128 characters; this one has " + std::to_string(length) + ".");
}

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace epe::pg
