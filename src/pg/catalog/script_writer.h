// The script repository: writing and sharing scripts, for the current user, with their privileges.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace epe::pg {

class FunctionCall;

struct NewScript {
    std::string_view name;
    std::string_view source;
    bool is_global = false;
    bool may_replace = false;
    std::optional<std::string_view> description{};
};

/// Throws Error 22023 for a name that is not 1 to 128 characters long, or an empty source.
void require_valid_script(const NewScript& script);
/// Whether the current user is trusted (trust.md, "The rule").
bool is_trusted_user();
/// Whether a role, which may have been dropped, is trusted.
bool is_trusted_owner(std::uint32_t role);
/// Throws Error 42501 unless the current user is trusted.
void require_trusted_user();
/// Stores a script of the current user, or a global one. The source must have been checked. Throws
/// as require_valid_script(), for a global one as require_trusted_user(), and Error 42710 when the
/// name is taken and may_replace is false, including by a concurrent session.
void create_script(const NewScript& script);
/// Throws Error 42704 when there is no such script, unless `is_silent`; 42501 when the script is
/// global and the user is not trusted.
void drop_script(std::string_view name, bool is_global, bool is_silent);

/// Grants the right to run a script of the current user to a role, or to PUBLIC. No-op if already
/// granted. Throws Error 42704 when there is no such script or no such role.
void grant_script(std::string_view name, std::optional<std::string_view> role);
/// Revokes it from a role, or revokes every grant when there is no role. WARNING when nothing was
/// granted. Throws as above.
void revoke_script(std::string_view name, std::optional<std::string_view> role);

/// The body of the trigger on the repository's tables: invalidates the caches of all sessions.
void note_script_change(const FunctionCall& call);

}  // namespace epe::pg
