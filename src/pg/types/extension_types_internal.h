// Types of other extensions that are more than their text: pgvector's, and hstore.
#pragma once

extern "C" {
#include "postgres.h"

#include "fmgr.h"
}

#include "core/batch/column_type.h"

namespace epe::pg {

/// Which of these types a base type is: found by its name and that of its extension, so that a
/// type of another origin with the same name is not one of them. A leaf.
Variant extension_variant(Oid base) noexcept;

/// The functions that lead from such a type to one that is read here: real[] or json.
struct ReadingCasts {
    FmgrInfo functions[2];
    int count = 0;
};

/// A leaf: raises 0A000 when the extension lacks the casts.
void find_reading_casts(Oid type, Variant variant, ReadingCasts* casts) noexcept;
/// real[] of a vector, json of an hstore. A leaf.
Datum apply_reading_casts(ReadingCasts& casts, Datum value) noexcept;

/// pgvector's `vector` beside another type of it; 0 when there is none. A leaf.
Oid vector_type_beside(Oid type) noexcept;

}  // namespace epe::pg
