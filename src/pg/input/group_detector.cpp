// Detects group boundaries in rows that are sorted by their keys.
#include "pg/input/group_detector_internal.h"

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"

extern "C" {
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"
}

namespace epe::pg {

GroupKeys::GroupKeys(TupleDesc descriptor, const std::vector<int>& columns) {
    keys_.resize(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
        Key& key = keys_[i];
        key.column = columns[i];
        guarded([&key, descriptor]() noexcept {
            Form_pg_attribute attribute = TupleDescAttr(descriptor, key.column);
            const TypeCacheEntry* type =
                lookup_type_cache(attribute->atttypid, TYPECACHE_EQ_OPR_FINFO);
            if (!OidIsValid(type->eq_opr_finfo.fn_oid))
                ereport(ERROR,
                        (errcode(ERRCODE_UNDEFINED_FUNCTION),
                         errmsg("cannot group by column \"%s\" of type %s",
                                NameStr(attribute->attname), format_type_be(attribute->atttypid)),
                         errhint("The type has no equality operator.")));
            fmgr_info(type->eq_opr_finfo.fn_oid, &key.equal);
            Oid output = InvalidOid;
            bool is_varlena = false;
            getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
            fmgr_info(output, &key.output);
            key.length = attribute->attlen;
            key.by_value = attribute->attbyval;
            key.collation = attribute->attcollation;
        });
    }
    context_ = guarded([]() noexcept {
        return AllocSetContextCreate(CurrentMemoryContext, "oml_epe group keys",
                                     ALLOCSET_SMALL_SIZES);
    });
}

bool GroupKeys::is_same_group(const Datum* values, const bool* nulls) noexcept {
    for (Key& key : keys_) {
        const bool is_null = nulls[key.column];
        if (is_null != key.is_null) return false;
        if (is_null) continue;
        const Datum value = values[key.column];
        if (key.by_value && value == key.value) continue;
        if (!DatumGetBool(FunctionCall2Coll(&key.equal, key.collation, key.value, value)))
            return false;
    }
    return true;
}

bool GroupKeys::start_group_if_new(const Datum* values, const bool* nulls,
                                   BatchBuilder& builder) noexcept {
    if (has_group_ && is_same_group(values, nulls)) return true;
    StringInfoData name;
    initStringInfo(&name);
    MemoryContextReset(context_);
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        Key& key = keys_[i];
        if (i > 0) appendStringInfoChar(&name, '_');
        key.is_null = nulls[key.column];
        if (key.is_null) {
            appendStringInfoString(&name, "null");
            continue;
        }
        appendStringInfoString(&name, OutputFunctionCall(&key.output, values[key.column]));
        MemoryContext caller = MemoryContextSwitchTo(context_);
        // Detoasted: it is compared once per row.
        key.value = key.length == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(values[key.column]))
                                     : datumCopy(values[key.column], key.by_value, key.length);
        MemoryContextSwitchTo(caller);
    }
    has_group_ = true;
    auto size = static_cast<std::size_t>(name.len);
    const char* text = to_utf8(name.data, &size);
    return builder.start_group({text, size});
}

}  // namespace epe::pg
