// The tables of the script repository, read without SQL. All functions are leaves.
//
// Scripts are looked up like functions in pg_proc: by an index scan under a catalog snapshot. It
// sees the latest committed state, at every isolation level, and the session's own changes, so that
// an invalidation is complete for every cached script; and it depends on nothing of the caller's:
// no search_path, no operators, no planner. Names are in the server's encoding.
#pragma once

#include <string_view>

extern "C" {
#include "postgres.h"
}

namespace epe::pg {

struct ScriptTables {
    Oid scripts;
    Oid scripts_key;
    Oid grants;
    Oid grants_key;
};

/// Raises 42704 where the extension is not created.
ScriptTables script_tables() noexcept;

/// A palloc'ed, terminated copy in the server's encoding; raises as from_utf8.
const char* server_name(std::string_view utf8) noexcept;
/// Role of that name, as written or folded as identifiers are; InvalidOid when there is none.
Oid find_role(const char* name) noexcept;
/// Whether a role is trusted (trust.md, "The rule"): a superuser, or with the rights of pyqadmin.
bool is_trusted_role(Oid role) noexcept;

enum class LookUpResult { kFound, kNoScript, kNoRole };

/// Result of a lookup; the texts are palloc'ed, in UTF-8.
struct FoundScript {
    LookUpResult result = LookUpResult::kNoScript;
    Oid owner = InvalidOid;  ///< 0: global
    const char* owner_name = nullptr;
    const char* source = nullptr;
    std::size_t source_size = 0;
    bool is_trusted = false;
};

/// The key of a lookup.
struct ScriptQuery {
    Oid user = InvalidOid;
    const char* name = nullptr;
    const char* owner = nullptr;  ///< null: the user's own script, else the global one
};

/// See find_script in script_store.h.
FoundScript look_up_script(const ScriptTables& tables, const ScriptQuery& query) noexcept;

/// Scripts to suggest when a lookup finds none; palloc'ed, in UTF-8.
struct NearMiss {
    const char* owner = nullptr;  ///< another owner's script of that name that the user may run
    const char* name = nullptr;   ///< a name that differs in case only
};
NearMiss find_near_miss(const ScriptTables& tables, const ScriptQuery& query) noexcept;

/// Whether (owner, name) is in the repository.
bool has_script(const ScriptTables& tables, Oid owner, const char* name) noexcept;

}  // namespace epe::pg
