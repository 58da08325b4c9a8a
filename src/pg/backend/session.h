// The roles of the session, and its database.
#pragma once

#include <cstdint>
#include <string>

namespace epe::pg {

/// OID of the current role, whose rights SQL statements have.
std::uint32_t current_role() noexcept;
/// OID of the role that has logged in, or that a job runs for; not changed by SET ROLE and SECURITY
/// DEFINER functions.
std::uint32_t session_role() noexcept;
std::uint32_t current_database() noexcept;
/// The name of a role, in UTF-8; "unknown (OID)" when it is gone.
std::string role_name(std::uint32_t role);
std::string database_name(std::uint32_t database);
bool is_current_role_or_superuser(std::uint32_t role);
/// Whether the session's role has that name and could log in to this database again, according to
/// its attributes and its CONNECT privilege.
bool may_session_user_log_in(const std::string& name);
/// Whether the current role may see another role's activity, as in pg_stat_activity.
bool may_see_role(std::uint32_t role);

}  // namespace epe::pg
