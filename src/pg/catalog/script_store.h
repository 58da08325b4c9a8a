// The script repository: who may write, share and run which stored script.
//
// Readers and writers alike act for the current user. Reads come from a cache of the session that
// every change of the repository or of roles empties: whatever anybody has committed, and our own
// uncommitted changes, are seen by the next call, whatever the isolation level.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/pipeline/ports.h"

namespace epe::pg {

class FunctionCall;
struct CachedScript;

/// The owner that global scripts are shown under, and asked for by.
inline constexpr std::string_view kGlobalOwner = "pyqsys";

/// A script as it was when found. It stays so while this object lives, even when the script is
/// replaced or dropped meanwhile: a running script may replace itself.
class PinnedScript {
   public:
    explicit PinnedScript(CachedScript& script) noexcept;
    PinnedScript(PinnedScript&& other) noexcept;
    PinnedScript& operator=(PinnedScript&& other) = delete;
    PinnedScript(const PinnedScript&) = delete;
    PinnedScript& operator=(const PinnedScript&) = delete;
    ~PinnedScript();

    const Script& operator*() const noexcept;
    const Script* operator->() const noexcept { return &**this; }

   private:
    CachedScript* script_;
};

/// The script that the current user means and may run (compatibility.md, SQL-13). Without an
/// owner: the user's own, else the global one. With an owner: that role's, when the user has the
/// rights of that role (which superusers have of every role) or the script is granted to the
/// user, to a role the user has the rights of, or to everybody; "pyqsys" in any case means
/// global. A script that the user may not see does not exist: both are Error 42704.
PinnedScript find_script(std::string_view name, std::optional<std::string_view> owner);

/// A script of the current user's that is not stored: it lives for one call. `name` is for
/// messages. Trusted exactly if the user is.
Script make_inline_script(std::string_view name, std::string source);

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
/// Whether a role is, which may be gone.
bool is_trusted_owner(std::uint32_t role);
/// Throws Error 42501 unless it is.
void require_trusted_user();
/// Stores a script of the current user, or a global one. The source must have been checked.
/// Throws as require_valid_script(), for a global one as require_trusted_user(), and Error 42710
/// when the name is taken and may_replace is false, also when another session takes it at the same
/// moment.
void create_script(const NewScript& script);
/// Throws Error 42704 when there is no such script, unless `is_silent`; 42501 when the script is
/// to be global and the user is not trusted.
void drop_script(std::string_view name, bool is_global, bool is_silent);

/// Lets a role, or everybody, run a script of the current user's. Quiet when it may already.
/// Throws Error 42704 when there is no such script or no such role.
void grant_script(std::string_view name, std::optional<std::string_view> role);
/// Takes it back from a role, or every grant when there is no role. WARNING when nothing was
/// granted. Throws as above.
void revoke_script(std::string_view name, std::optional<std::string_view> role);

/// The body of the trigger on the repository's tables: tells the caches of all sessions.
void note_script_change(const FunctionCall& call);

}  // namespace epe::pg
