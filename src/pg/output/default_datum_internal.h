// Makes Datums of the natural PostgreSQL type of a kind of column.
#pragma once

#include "pg/output/cast_internal.h"

namespace epe::pg {

/// A type, and the function that makes a Datum of it from a column's value.
struct NaturalType {
    Oid type = InvalidOid;
    MakeDatum make = nullptr;
};

inline constexpr int kMaxNaturalTypes = 2;

/// The candidate source types for a conversion from a scalar kind to `target` (a base type), the
/// best first; if the first has no cast to the target, the second may. Returns their number. A
/// leaf.
int find_natural_types(Kind kind, Oid target, NaturalType (&found)[kMaxNaturalTypes]) noexcept;

}  // namespace epe::pg
