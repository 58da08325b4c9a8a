// Types of other extensions that are converted beyond their text: pgvector's, and hstore.
#pragma once

extern "C" {
#include "postgres.h"

#include "fmgr.h"
}

#include "core/batch/column_type.h"

namespace epe::pg {

/// Which of these types a base type is: found by its name and its extension's name, so that a type
/// of another origin with the same name does not match. A leaf.
Variant extension_variant(Oid base) noexcept;

/// The cast functions from such a type to one that has a reader: real[] or json.
struct ReadingCasts {
    FmgrInfo functions[2];
    int count = 0;
};

/// A leaf: raises 0A000 when the extension lacks the casts.
void find_reading_casts(Oid type, Variant variant, ReadingCasts* casts) noexcept;
/// real[] of a vector, json of an hstore. A leaf.
Datum apply_reading_casts(ReadingCasts& casts, Datum value) noexcept;

/// The type `vector` in the same pgvector extension; 0 when there is none. A leaf.
Oid vector_type_beside(Oid type) noexcept;

}  // namespace epe::pg
