// Who calls, and where.
#pragma once

#include <cstdint>
#include <string>

namespace epe::pg {

/// OID of the current role: whose rights SQL has at the moment.
std::uint32_t current_role() noexcept;
/// OID of the role that has logged in, or that a job runs for: SET ROLE and SECURITY DEFINER
/// functions do not change it.
std::uint32_t session_role() noexcept;
std::uint32_t current_database() noexcept;
/// The name of a role, in UTF-8; "unknown (OID)" when it is gone.
std::string role_name(std::uint32_t role);
std::string database_name(std::uint32_t database);
bool is_current_role_or_superuser(std::uint32_t role);
/// Whether the role that the session belongs to has that name and could log in to this database
/// again, as far as its attributes and the right to connect say.
bool may_session_user_log_in(const std::string& name);
/// Whether the current role may see what another one does, as in pg_stat_activity.
bool may_see_role(std::uint32_t role);

}  // namespace epe::pg
