// Maps PostgreSQL's types to columns of a batch.
#include "pg/types/column_types.h"

#include <cstring>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/types/column_types_internal.h"
#include "pg/types/extension_types_internal.h"

extern "C" {
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace epe::pg {

namespace {

/// Catalog data of a type that is not an ordinary scalar.
struct TypeFacts {
    Oid base;          // of a domain, else the type itself
    Oid element;       // of a true array, else 0
    TupleDesc fields;  // of a named composite type, in palloc'ed memory, else null
    bool is_text;      // a character string
    Variant variant;   // of a type of another extension
};

TypeFacts look_up(Oid type) noexcept {
    TypeFacts facts{getBaseType(type), InvalidOid, nullptr, false, Variant::kPlain};
    // These two have the layout of arrays but another text form, and no array casts.
    if (facts.base != INT2VECTOROID && facts.base != OIDVECTOROID)
        facts.element = get_element_type(facts.base);
    if (!OidIsValid(facts.element) && get_typtype(facts.base) == TYPTYPE_COMPOSITE)
        facts.fields = lookup_rowtype_tupdesc_copy(facts.base, -1);
    facts.variant = extension_variant(facts.base);
    facts.is_text = TypeCategory(facts.base) == TYPCATEGORY_STRING;
    return facts;
}

TextView view_of(const char* text) noexcept { return utf8_view(text, std::strlen(text)); }

}  // namespace

bool find_scalar_kind(Oid type, Kind& kind, Representation representation) noexcept {
    switch (type) {
        case BOOLOID:
            kind = Kind::kBool;
            return true;
        case INT2OID:
            kind = Kind::kInt16;
            return true;
        case INT4OID:
            kind = Kind::kInt32;
            return true;
        case INT8OID:
        case OIDOID:
            kind = Kind::kInt64;
            return true;
        case FLOAT4OID:
            kind = Kind::kFloat32;
            return true;
        case FLOAT8OID:
            kind = Kind::kFloat64;
            return true;
        case NUMERICOID:
            kind = representation.use_decimal ? Kind::kDecimal : Kind::kFloat64;
            return true;
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
        case NAMEOID:
        case CHAROID:
        case UNKNOWNOID:
            kind = Kind::kText;
            return true;
        case JSONOID:
        case JSONBOID:
            kind = Kind::kJson;
            return true;
        case UUIDOID:
            kind = Kind::kUuid;
            return true;
        case BYTEAOID:
            kind = Kind::kBinary;
            return true;
        case DATEOID:
            kind = Kind::kDate;
            return true;
        case TIMEOID:
            kind = Kind::kTime;
            return true;
        case TIMETZOID:
            kind = Kind::kTimeTz;
            return true;
        case TIMESTAMPOID:
            kind = Kind::kTimestamp;
            return true;
        case TIMESTAMPTZOID:
            kind = Kind::kTimestampTz;
            return true;
        case INTERVALOID:
            kind = representation.use_month_day_nano ? Kind::kMonthDayNano : Kind::kInterval;
            return true;
        default:
            return false;
    }
}

ColumnType column_type_of(unsigned type_oid, Representation representation) {
    ColumnType type{Kind::kText, {}};
    if (type_oid != CHAROID && find_scalar_kind(type_oid, type.kind, representation)) return type;
    const TypeFacts facts = guarded([=]() noexcept { return look_up(type_oid); });
    if (facts.fields != nullptr) {
        type.kind = Kind::kStruct;
        type.fields = schema_of(facts.fields, representation);
    } else if (OidIsValid(facts.element)) {
        type.kind = Kind::kList;
        Field element{"", column_type_of(facts.element, representation)};
        element.sql_type = type_text(facts.element, -1);
        element.type_oid = facts.element;
        type.fields.push_back(std::move(element));
    } else if (is_vector(facts.variant)) {
        type.kind = Kind::kList;
        type.variant = facts.variant;
        type.fields.push_back({"", Kind::kFloat32, "real", FLOAT4OID, -1});
    } else if (facts.variant == Variant::kHstore) {
        type.kind = Kind::kJson;
        type.variant = facts.variant;
    } else if (!find_scalar_kind(facts.base, type.kind, representation) && !facts.is_text) {
        type.variant = Variant::kPrinted;
    }
    if (facts.base == CHAROID) type.variant = Variant::kPrinted;
    return type;
}

std::string type_text(Oid type, int32 modifier) {
    const TextView text =
        guarded([=]() noexcept { return view_of(format_type_with_typemod(type, modifier)); });
    return text.copy();
}

Field field_of(Form_pg_attribute attribute, Representation representation) {
    const TextView name = guarded([=]() noexcept { return view_of(NameStr(attribute->attname)); });
    Field field{name.copy(), column_type_of(attribute->atttypid, representation)};
    field.sql_type = type_text(attribute->atttypid, attribute->atttypmod);
    field.type_oid = attribute->atttypid;
    field.type_modifier = attribute->atttypmod;
    return field;
}

Schema schema_of(TupleDesc descriptor, Representation representation) {
    Schema schema;
    schema.reserve(static_cast<std::size_t>(descriptor->natts));
    for (int i = 0; i < descriptor->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
        if (!attribute->attisdropped) schema.push_back(field_of(attribute, representation));
    }
    return schema;
}

}  // namespace epe::pg
