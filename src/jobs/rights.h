// Checks whether a role still has the right that its jobs need: to log in to this database.
#pragma once

#include <cstdint>

#include "core/error.h"

namespace epe::jobs {

enum class Right : std::uint8_t { kMay, kNoRole, kNoLogin, kExpired, kNoConnect };

/// A leaf: reads catalogs, and may raise. Checks LOGIN, VALID UNTIL, and CONNECT on the current
/// database, which superusers do not need.
Right right_of(std::uint32_t role) noexcept;
/// Whether the current database accepts connections (datallowconn). A leaf as well.
bool is_database_open() noexcept;

/// The error of a job whose owner has lost the right; SQLSTATE 28000.
ErrorReport refusal(Right right, std::uint32_t role);

}  // namespace epe::jobs
