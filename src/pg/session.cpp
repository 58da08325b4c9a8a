// Who calls, and where.
#include "pg/session.h"

extern "C" {
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
}

#include "pg/boundary.h"
#include "pg/text_internal.h"

namespace epe::pg {

#if PG_VERSION_NUM < 140000
#define ROLE_PG_READ_ALL_STATS DEFAULT_ROLE_READ_ALL_STATS
#endif

std::uint32_t current_role() noexcept { return GetUserId(); }

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

}  // namespace

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

}  // namespace epe::pg
