// Makes Datums of the PostgreSQL type that is natural for a kind of column.
#pragma once

#include "pg/output/cast_internal.h"

namespace epe::pg {

/// A type, and what makes a Datum of it out of a column's value.
struct NaturalType {
    Oid type = InvalidOid;
    MakeDatum make = nullptr;
};

inline constexpr int kMaxNaturalTypes = 2;

/// The types in which values of a scalar kind may begin their way to `target` (a base type), the
/// best first; where the first has no cast to the target, the second may. Returns their number.
/// A leaf.
int find_natural_types(Kind kind, Oid target, NaturalType (&found)[kMaxNaturalTypes]) noexcept;

}  // namespace epe::pg
