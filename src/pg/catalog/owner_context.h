// Temporarily assumes the rights of the owner of the extension's tables.
#pragma once

#include <cstdint>

namespace epe {
class Error;
}

namespace epe::pg {

/// While it lives, statements run with the rights of the repository's owner. Names in them,
/// operators too, must be qualified: the caller's search_path applies.
class OwnerRights {
   public:
    /// Throws PgError 42704 where the extension is not created.
    OwnerRights();
    ~OwnerRights();
    OwnerRights(const OwnerRights&) = delete;
    OwnerRights& operator=(const OwnerRights&) = delete;

    /// Whether an instance exists: the running statement is the extension's own.
    static bool are_held() noexcept;

   private:
    std::uint32_t user_ = 0;
    int context_ = 0;
};

/// Adds a hint to an error about a missing object of the extension: the library is newer than the
/// objects of the database until ALTER EXTENSION UPDATE was run there.
void add_update_hint(Error& error);

}  // namespace epe::pg
