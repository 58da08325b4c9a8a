// Types of other extensions that are converted beyond their text: pgvector's, and hstore.
#include "pg/types/extension_types_internal.h"

#include <utility>

extern "C" {
#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace epe::pg {

namespace {

struct KnownType {
    const char* type;
    const char* extension;
    Variant variant;
};

constexpr KnownType kKnownTypes[] = {{"vector", "vector", Variant::kVector},
                                     {"halfvec", "vector", Variant::kHalfVector},
                                     {"sparsevec", "vector", Variant::kSparseVector},
                                     {"hstore", "hstore", Variant::kHstore}};

/// The function of a cast; 0 when there is no such cast or it has none.
Oid cast_function(Oid source, Oid target) noexcept {
    HeapTuple tuple =
        SearchSysCache2(CASTSOURCETARGET, ObjectIdGetDatum(source), ObjectIdGetDatum(target));
    if (!HeapTupleIsValid(tuple)) return InvalidOid;
    const Oid function = reinterpret_cast<Form_pg_cast>(GETSTRUCT(tuple))->castfunc;
    ReleaseSysCache(tuple);
    return function;
}

void add_cast(Oid source, Oid target, ReadingCasts* casts) noexcept {
    const Oid function = cast_function(source, target);
    if (!OidIsValid(function))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("there is no cast from %s to %s", format_type_be(source),
                               format_type_be(target)),
                        errhint("Update the extension, or cast the column to text.")));
    fmgr_info(function, &casts->functions[casts->count++]);
}

}  // namespace

Variant extension_variant(Oid base) noexcept {
    if (base < FirstNormalObjectId) return Variant::kPlain;
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(base));
    if (!HeapTupleIsValid(tuple)) return Variant::kPlain;
    const char* name = NameStr(reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typname);
    const KnownType* found = nullptr;
    for (const KnownType& known : kKnownTypes)
        if (strcmp(known.type, name) == 0) found = &known;
    ReleaseSysCache(tuple);
    if (found == nullptr) return Variant::kPlain;
    const Oid extension = getExtensionOfObject(TypeRelationId, base);
    const char* extension_name = OidIsValid(extension) ? get_extension_name(extension) : nullptr;
    return extension_name != nullptr && strcmp(extension_name, found->extension) == 0
               ? found->variant
               : Variant::kPlain;
}

void find_reading_casts(Oid type, Variant variant, ReadingCasts* casts) noexcept {
    if (variant == Variant::kHstore) {
        add_cast(type, JSONOID, casts);
        return;
    }
    if (variant == Variant::kSparseVector) {
        const Oid vector = vector_type_beside(type);
        if (OidIsValid(vector)) {
            add_cast(type, vector, casts);
            type = vector;
        }
    }
    add_cast(type, FLOAT4ARRAYOID, casts);
}

Datum apply_reading_casts(ReadingCasts& casts, Datum value) noexcept {
    for (int i = 0; i < casts.count; ++i) {
        FmgrInfo* function = &casts.functions[i];
        // Cast functions may also take a typmod and the explicit flag.
        value = function->fn_nargs == 1
                    ? FunctionCall1(function, value)
                    : FunctionCall3(function, value, Int32GetDatum(-1), BoolGetDatum(true));
    }
    return value;
}

Oid vector_type_beside(Oid type) noexcept {
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(tuple)) return InvalidOid;
    const Oid schema = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typnamespace;
    ReleaseSysCache(tuple);
    return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("vector"),
                           ObjectIdGetDatum(schema));
}

}  // namespace epe::pg
