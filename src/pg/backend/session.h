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

/// The role and the security context of a call whose steps run at different times: each step has
/// those with which the call began.
class CallUser {
   public:
    CallUser() noexcept;

   private:
    friend class UserStep;
    std::uint32_t user_ = 0;
    int context_ = 0;
};

/// While it lives, the user of the call is the current one. Restrictions of the present security
/// context remain. A script may change the role, as a function may: then it stays changed.
class UserStep {
   public:
    explicit UserStep(CallUser& call) noexcept;
    ~UserStep();
    UserStep(const UserStep&) = delete;
    UserStep& operator=(const UserStep&) = delete;

   private:
    CallUser& call_;
    std::uint32_t outer_user_ = 0;
    int outer_context_ = 0;
    std::uint32_t step_user_ = 0;
    int step_context_ = 0;
};

}  // namespace epe::pg
