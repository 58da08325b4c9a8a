// The rights of the owner of the extension's tables, for a while.
#pragma once

#include <cstdint>

namespace epe {
class Error;
}

namespace epe::pg {

/// While it lives, statements run with the rights of the repository's owner. What they name,
/// operators too, must be qualified: they find the caller's search_path.
class OwnerRights {
   public:
    /// Throws PgError 42704 where the extension is not created.
    OwnerRights();
    ~OwnerRights();
    OwnerRights(const OwnerRights&) = delete;
    OwnerRights& operator=(const OwnerRights&) = delete;

    /// Whether one lives: the running statement is the extension's own.
    static bool are_held() noexcept;

   private:
    std::uint32_t user_ = 0;
    int context_ = 0;
};

/// Adds a hint to an error about a missing object of the extension: the library is newer than the
/// objects of the database until ALTER EXTENSION UPDATE has run there.
void add_update_hint(Error& error);

}  // namespace epe::pg
