// Converts the values of one result column to Datums of its type: a maker, then possibly a cast.
#pragma once

extern "C" {
#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
}

#include "core/batch/batch.h"

namespace epe::pg {

struct Conversion;

/// Makes the Datum of a non-NULL value, palloc'ed in the current memory context. A leaf.
using MakeDatum = Datum (*)(const Conversion& conversion, const Column& column, std::int64_t row);

/// Two stages: an explicit cast (varchar(7) truncates) to the type in the map, the prototype or the
/// row type, then an assignment cast to the type in the AS list.
struct ConversionTarget {
    Oid mapped_type = InvalidOid;
    int32 mapped_modifier = -1;
    Oid type = InvalidOid;
    int32 modifier = -1;
};

/// Shared by the conversions of one column.
struct ConversionSite {
    const char* column = nullptr;        ///< in the server's encoding; null for a scalar result
    ExprContext* expressions = nullptr;  ///< casts are evaluated in it
};

/// For one kind of source column; palloc'ed, plain data, valid for one call.
struct Conversion {
    Kind kind = Kind::kNull;
    MakeDatum make = nullptr;
    ExprState* cast = nullptr;  ///< from the natural type; null when make returns the target type
    ExprContext* expressions = nullptr;
    bool casts_nulls = false;       ///< a domain may reject NULL
    bool is_alternatives = false;   ///< structs: the value is that of the only non-NULL child
    Oid element_type = InvalidOid;  ///< lists
    int16 element_length = 0;
    bool element_by_value = false;
    char element_alignment = 0;
    TupleDesc row_type = nullptr;  ///< structs: children are its attributes, null if dropped
    int child_count = 0;
    Conversion** children = nullptr;
    Conversion* next = nullptr;  ///< of the same column, for another kind
};

/// A conversion for columns that look like `sample`. A leaf: raises 42846 when there is no cast.
Conversion* make_conversion(const Column& sample, const ConversionTarget& target,
                            const ConversionSite& site) noexcept;
/// Whether a conversion made for another column fits this one.
bool is_conversion_for(const Conversion& conversion, const Column& column) noexcept;

Datum convert_alternative(const Conversion& conversion, const Column& column, std::int64_t row,
                          bool* is_null);

/// The value of a row, NULL or not. A leaf.
inline Datum convert_value(const Conversion& conversion, const Column& column, std::int64_t row,
                           bool* is_null) {
    if (conversion.is_alternatives) return convert_alternative(conversion, column, row, is_null);
    *is_null = column.is_null(row);
    if (*is_null && !conversion.casts_nulls) return 0;
    const Datum natural = *is_null ? 0 : conversion.make(conversion, column, row);
    if (conversion.cast == nullptr) return natural;
    conversion.expressions->caseValue_datum = natural;
    conversion.expressions->caseValue_isNull = *is_null;
    return ExecEvalExpr(conversion.cast, conversion.expressions, is_null);
}

}  // namespace epe::pg
