// The script repository: finding the scripts that the current user may run.
//
// Reads use a cache of the session that every change of
// the repository or of roles invalidates: committed changes of all sessions, and uncommitted ones
// of this session, are visible to the next call at every isolation level.
#pragma once

#include <optional>
#include <string_view>

#include "core/pipeline/ports.h"

namespace epe::pg {

struct CachedScript;

/// The owner name of global scripts, in views and as an argument.
inline constexpr std::string_view kGlobalOwner = "pyqsys";

/// A script as it was when found. It does not change while this object lives, even when the script
/// is replaced or dropped meanwhile: a running script may replace itself.
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

/// Finds the script that the current user may run (compatibility.md, SQL-13). Without an owner: the
/// user's own, else the global one. With an owner: the script of that role, when the user has the
/// rights of that role (superusers have them for every role) or the script is granted to the user,
/// to a role whose rights the user has, or to PUBLIC; "pyqsys" in any case means global. A script
/// that the user may not see is reported as missing: both are Error 42704.
PinnedScript find_script(std::string_view name, std::optional<std::string_view> owner);

/// A script of the current user that is not stored: it lives for one call. `name` is for messages.
/// Trusted exactly if the user is.
Script make_inline_script(std::string_view name, std::string source);

}  // namespace epe::pg
