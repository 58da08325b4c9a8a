// Maps PostgreSQL's row types to schemas of batches.
#pragma once

extern "C" {
#include "postgres.h"

#include "access/tupdesc.h"
}

#include "pg/types/column_types.h"

namespace epe::pg {

/// The name of a type with its modifier as format_type prints it, in UTF-8. Throws PgError.
std::string type_text(Oid type, int32 modifier);

/// A field for one attribute; its name in UTF-8. Throws PgError.
Field field_of(Form_pg_attribute attribute, Representation representation = {});

/// A field for every attribute that is not dropped, in order. Throws PgError.
Schema schema_of(TupleDesc descriptor, Representation representation = {});

/// The kind of a type that needs no catalog lookup: false for all except the ordinary scalar types.
bool find_scalar_kind(Oid type, Kind& kind, Representation representation = {}) noexcept;

}  // namespace epe::pg
