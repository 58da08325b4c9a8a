// Maps PostgreSQL's types to columns of a batch.
#pragma once

#include "core/batch/column_type.h"

namespace epe::pg {

/// The column type of a PostgreSQL type: domains as their base type, arrays as lists, named
/// composite types as structs without their dropped attributes; every type without a kind of its
/// own is kText, the text of its output function. numeric is kDecimal, or kFloat64 when
/// `use_decimal` is false (input for computations in numpy). Throws PgError.
ColumnType column_type_of(unsigned type_oid, bool use_decimal);

}  // namespace epe::pg
