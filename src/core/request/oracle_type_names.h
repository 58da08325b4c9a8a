// Type names in column maps: translates Oracle's SQL type names to PostgreSQL's.
#pragma once

#include <string>
#include <string_view>

namespace epe {

/// The PostgreSQL text of a type name as written in OUT_FMT (compatibility.md, SQL-28): number,
/// varchar2(n), binary_double, clob, blob, ... in any case and spacing, as arrays too. Other names
/// are returned unchanged, for PostgreSQL to resolve.
std::string postgres_type_name(std::string_view written);

}  // namespace epe
