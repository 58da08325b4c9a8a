// What scripts and datastores have in common: tables that nobody but their owner may touch, which
// functions of ours write for the user who calls them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

extern "C" {
#include "postgres.h"
}

namespace epe::pg {

/// An SQL statement with its parameters; all point to what the caller keeps.
struct OwnerStatement {
    const char* sql;
    int count;
    const Oid* types;
    const Datum* values;
    const char* nulls = nullptr;  ///< as SPI's; null when no parameter is
};

/// Runs a statement with the rights of the owner of pyqsys.scripts, and returns the number of its
/// rows. It finds the caller's search_path: whatever it names, operators and types too, must be
/// qualified.
std::uint64_t execute_as_owner(const OwnerStatement& statement);

/// A value of type text. A leaf.
Datum text_datum(std::string_view utf8) noexcept;

/// The role that a grant is for: InvalidOid, everybody, without a name and for "public" in any
/// case, unless a role is named exactly so. Throws Error 42704.
Oid grantee_of(std::optional<std::string_view> name);

/// Throws Error 22023 unless the name has 1 to 128 characters; `kind` says of what.
void require_valid_name(std::string_view name, const char* kind);

/// The name in double quotes, for a message.
std::string quoted(std::string_view name);

}  // namespace epe::pg
