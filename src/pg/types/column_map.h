// The columns in OUT_FMT: from a map of names and types, or from a prototype.
#pragma once

#include "core/batch/column_type.h"
#include "core/request/request.h"

namespace epe::pg {

/// The columns of the map or of the prototype, with PostgreSQL's types; empty when OUT_FMT has
/// none. A prototype is a table or view that the current user may read, or a composite type. Throws
/// Error 42704 for an unknown type, 42P01 for an unknown prototype, 42501.
Schema mapped_columns(const OutputFormat& format);

/// The AS list with these columns: AS t("name" type, ...).
std::string as_list(const Schema& columns);

}  // namespace epe::pg
