// The rights of the owner of the extension's tables, for a while.
#pragma once

#include <cstdint>

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

   private:
    std::uint32_t user_ = 0;
    int context_ = 0;
};

}  // namespace epe::pg
