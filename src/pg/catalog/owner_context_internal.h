// Shared by scripts and datastores: their tables may be written only by their owner; functions of
// the extension write them for the calling user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

extern "C" {
#include "postgres.h"
}

namespace epe::pg {

/// An SQL statement with its parameters; all are borrowed.
struct OwnerStatement {
    const char* sql;
    int count;
    const Oid* types;
    const Datum* values;
    const char* nulls = nullptr;  ///< as in SPI; null when no parameter is
};

/// Runs a statement with the rights of the owner of pyqsys.scripts, and returns the number of its
/// rows. The caller's search_path applies: all names, operators and types too, must be qualified.
std::uint64_t execute_as_owner(const OwnerStatement& statement);

/// A value of type text. A leaf.
Datum text_datum(std::string_view utf8) noexcept;

/// The grantee of a grant: InvalidOid, PUBLIC, without a name and for "public" in any case, unless
/// a role has exactly that name. Throws Error 42704.
Oid grantee_of(std::optional<std::string_view> name);

/// Throws Error 22023 unless the name has 1 to 128 characters; `kind` is the kind of object.
void require_valid_name(std::string_view name, const char* kind);

/// The name in double quotes, for a message.
std::string quoted(std::string_view name);

}  // namespace epe::pg
