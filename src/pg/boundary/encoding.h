// Texts from Python that are stored in tables of the server.
#pragma once

#include <string>

namespace epe::pg {

/// The same text, UTF-8, with characters that the server's encoding lacks escaped as in Python
/// (\u20ac), so that it can be stored. Throws PgError for invalid UTF-8.
std::string storable(const std::string& utf8);

}  // namespace epe::pg
