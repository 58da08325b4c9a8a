// Maps PostgreSQL's types to columns of a batch.
#pragma once

#include "core/batch/column_type.h"

namespace epe::pg {

/// The kinds of types that have more than one.
struct Representation {
    bool use_decimal = true;          ///< numeric is kDecimal, else kFloat64, for numpy
    bool use_month_day_nano = false;  ///< interval is kMonthDayNano, else kInterval
};

/// The column type of a PostgreSQL type: domains as their base type, arrays as lists, named
/// composite types as structs without their dropped attributes; every type without a kind of its
/// own is kText, the text of its output function. Throws PgError.
ColumnType column_type_of(unsigned type_oid, Representation representation = {});

}  // namespace epe::pg
