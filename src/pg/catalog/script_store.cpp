// The session's cache of scripts, and its lookups.
#include "pg/catalog/script_store.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "pg/backend/session.h"
#include "pg/boundary/boundary.h"
#include "pg/catalog/script_table_internal.h"
#include "pg/catalog/script_writer.h"

extern "C" {
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace epe::pg {

/// One script of the cache. A retired one has left the cache and is owned by its last pin.
struct CachedScript {
    Script script{};
    int pins = 0;
    bool is_retired = false;
};

namespace {

constexpr std::size_t kMaxStaleScripts = 256;

/// State of the invalidation callbacks. They run inside PostgreSQL's code: they only count.
struct Invalidations {
    std::uint64_t count = 0;
    Oid scripts = InvalidOid;
    Oid grants = InvalidOid;
    bool is_registered = false;
};
Invalidations invalidations;

void on_relation_changed(Datum, Oid relation) noexcept {
    if (!OidIsValid(relation) || relation == invalidations.scripts ||
        relation == invalidations.grants)
        ++invalidations.count;
}

/// `CacheId` is int, and SysCacheIdentifier from PostgreSQL 19 on.
template <typename CacheId>
void on_catalog_changed(Datum, CacheId, uint32) noexcept {
    ++invalidations.count;
}

void register_callbacks() noexcept {
    CacheRegisterRelcacheCallback(on_relation_changed, 0);
    CacheRegisterSyscacheCallback(AUTHOID, on_catalog_changed, 0);
    CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, on_catalog_changed, 0);
    // The owner of the database is a member of pg_database_owner.
    CacheRegisterSyscacheCallback(DATABASEOID, on_catalog_changed, 0);
    invalidations.is_registered = true;
}

/// The key of a lookup; a view for searching, with owned strings for storing.
template <typename Text>
struct BasicKey {
    Oid user = InvalidOid;
    bool has_owner = false;
    Text owner{};
    Text name{};
};
using Key = BasicKey<std::string>;
using KeyView = BasicKey<std::string_view>;

struct KeyHash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    template <typename Text>
    std::size_t operator()(const BasicKey<Text>& key) const noexcept {
        const std::hash<std::string_view> hash;
        return (hash(key.name) * 31 + hash(key.owner)) * 31 + key.user;
    }
};

struct KeyEqual {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    template <typename Left, typename Right>
    bool operator()(const BasicKey<Left>& left, const BasicKey<Right>& right) const noexcept {
        return left.user == right.user && left.has_owner == right.has_owner &&
               left.name == right.name && left.owner == right.owner;
    }
};

/// Results of lookups, which any invalidation empties, above the scripts that they refer to, which
/// are kept until they are read again and differ: so a script keeps its version, and with it the
/// engines' compiled code, across unrelated invalidations.
class ScriptCache {
   public:
    CachedScript& find(const KeyView& key);

   private:
    void forget_stale();
    CachedScript& load(const KeyView& key);
    CachedScript& keep(Oid owner, Script script);

    std::uint64_t seen_invalidations_ = 0;
    std::uint64_t last_version_ = 0;
    std::unordered_map<Key, CachedScript*, KeyHash, KeyEqual> answers_{};
    std::map<std::pair<Oid, std::string>, std::unique_ptr<CachedScript>> scripts_{};
};

void retire(std::unique_ptr<CachedScript> script) noexcept {
    if (script->pins == 0) return;
    script->is_retired = true;
    (void)script.release();  // ~PinnedScript releases it
}

CachedScript& ScriptCache::find(const KeyView& key) {
    // Else changes would be seen only when a transaction begins or a table is locked.
    guarded([]() noexcept { AcceptInvalidationMessages(); });
    if (seen_invalidations_ != invalidations.count) forget_stale();
    const auto answer = answers_.find(key);
    return answer != answers_.end() ? *answer->second : load(key);
}

void ScriptCache::forget_stale() {
    seen_invalidations_ = invalidations.count;
    answers_.clear();
    if (scripts_.size() <= kMaxStaleScripts) return;
    for (auto& [place, script] : scripts_)
        if (script) retire(std::move(script));
    scripts_.clear();
}

/// A complete sentence, or empty.
std::string hint_of(const NearMiss& near) {
    if (near.owner != nullptr)
        return std::string("Pass scr_owner => '") + near.owner +
               "' to run the script of that name.";
    if (near.name != nullptr)
        return std::string("Script names are case-sensitive: there is \"") + near.name + "\".";
    return {};
}

[[noreturn]] void throw_missing(const KeyView& key, LookUpResult result, const NearMiss& near) {
    if (result == LookUpResult::kNoRole)
        throw Error(sqlstate::kUndefinedObject,
                    "role \"" + std::string(key.owner) + "\" does not exist");
    std::string message = "script \"" + std::string(key.name) + "\"";
    if (key.has_owner) message += " of owner \"" + std::string(key.owner) + "\"";
    throw Error(sqlstate::kUndefinedObject, message + " does not exist", hint_of(near));
}

CachedScript& ScriptCache::load(const KeyView& key) {
    struct Answer {
        FoundScript found;
        NearMiss near;
    };
    const Answer answer = guarded([key]() noexcept {
        if (!invalidations.is_registered) register_callbacks();
        const ScriptTables tables = script_tables();
        invalidations.scripts = tables.scripts;
        invalidations.grants = tables.grants;
        const ScriptQuery query{key.user, server_name(key.name),
                                key.has_owner ? server_name(key.owner) : nullptr};
        Answer read{look_up_script(tables, query), NearMiss{}};
        if (read.found.result == LookUpResult::kNoScript) read.near = find_near_miss(tables, query);
        return read;
    });
    const FoundScript& found = answer.found;
    if (found.result != LookUpResult::kFound) throw_missing(key, found.result, answer.near);

    Script script;
    script.owner = found.owner_name;
    script.owner_role = found.owner;
    script.name = key.name;
    script.source.assign(found.source, found.source_size);
    script.is_trusted = found.is_trusted;
    CachedScript& kept = keep(found.owner, std::move(script));
    // An invalidation that arrived while the row was being read may belong to a newer row.
    if (seen_invalidations_ == invalidations.count)
        answers_.insert_or_assign(
            Key{key.user, key.has_owner, std::string(key.owner), std::string(key.name)}, &kept);
    return kept;
}

CachedScript& ScriptCache::keep(Oid owner, Script script) {
    std::unique_ptr<CachedScript>& place = scripts_[{owner, script.name}];
    script.version = last_version_ + 1;
    if (place) {
        const Script& known = place->script;
        if (known.source == script.source) {
            if (known.owner == script.owner && known.is_trusted == script.is_trusted) return *place;
            script.version = known.version;
        }
        // A lookup may still refer to it: a commit is visible slightly before its invalidation
        // arrives.
        answers_.clear();
    }
    auto kept = std::make_unique<CachedScript>();
    kept->script = std::move(script);
    last_version_ = std::max(last_version_, kept->script.version);
    if (place) retire(std::move(place));
    place = std::move(kept);
    return *place;
}

ScriptCache& session_cache() {
    // Never destroyed: it lives as long as the process, and processes may end without unwinding.
    static ScriptCache* cache = std::make_unique<ScriptCache>().release();
    return *cache;
}

}  // namespace

PinnedScript::PinnedScript(CachedScript& script) noexcept : script_(&script) { ++script_->pins; }

PinnedScript::PinnedScript(PinnedScript&& other) noexcept
    : script_(std::exchange(other.script_, nullptr)) {}

PinnedScript::~PinnedScript() {
    if (script_ == nullptr || --script_->pins > 0 || !script_->is_retired) return;
    const std::unique_ptr<CachedScript> last(script_);
}

const Script& PinnedScript::operator*() const noexcept { return script_->script; }

PinnedScript find_script(std::string_view name, std::optional<std::string_view> owner) {
    return PinnedScript(session_cache().find(
        KeyView{GetUserId(), owner.has_value(), owner.value_or(std::string_view()), name}));
}

Script make_inline_script(std::string_view name, std::string source) {
    Script script;
    script.owner = role_name(current_role());
    script.owner_role = current_role();
    // Differs from the names of all stored scripts that engines may cache for the same owner.
    script.name = std::string(name) + " (inline)";
    script.source = std::move(source);
    script.is_trusted = is_trusted_user();
    script.version = std::hash<std::string>()(script.source);
    return script;
}

}  // namespace epe::pg
