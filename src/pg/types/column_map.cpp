// The columns in OUT_FMT: from a map of names and types, or from a prototype.
#include "pg/types/column_map.h"

#include <array>
#include <string_view>

#include "core/request/identifiers.h"
#include "core/request/oracle_type_names.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/types/column_types_internal.h"
#include "pg/types/relation_lookup.h"

extern "C" {
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace epe::pg {

namespace {

constexpr const char* kAcceptedForms =
    "OUT_FMT takes a JSON object of column names and types, the name of a table, view or composite "
    "type, 'JSON', 'XML', 'PNG', or NULL for the shape of the AS list.";

struct MappedType {
    Oid oid;
    int32 modifier;
};

// -------------------------------------------------------------------------- types of a map

/// Type names that are key words: they have the same meaning for every search path, so that the
/// most common maps need no parser.
MappedType find_keyword_type(std::string_view name) noexcept {
    static constexpr std::array<std::pair<std::string_view, Oid>, 9> kTypes{{
        {"int", INT4OID},
        {"integer", INT4OID},
        {"bigint", INT8OID},
        {"smallint", INT2OID},
        {"numeric", NUMERICOID},
        {"double precision", FLOAT8OID},
        {"real", FLOAT4OID},
        {"boolean", BOOLOID},
        {"varchar", VARCHAROID},
    }};
    for (const auto& [keyword, oid] : kTypes)
        if (keyword == name) return {oid, -1};
    return {InvalidOid, -1};
}

void describe_map_type(void* column) {
    errposition(0);  // the position refers to the type's name, not to the statement
    errcontext("type of column \"%s\" in out_fmt", static_cast<const char*>(column));
}

/// Invalid when there is no such type; raises for a text that cannot be a type's name. A leaf.
MappedType parse_type(const char* text) noexcept {
    MappedType type{InvalidOid, -1};
#if PG_VERSION_NUM >= 160000
    ErrorSaveContext soft_errors = {T_ErrorSaveContext, false, false, nullptr};
    if (!parseTypeString(text, &type.oid, &type.modifier, reinterpret_cast<Node*>(&soft_errors)))
        type.oid = InvalidOid;
#else
    parseTypeString(text, &type.oid, &type.modifier, true);
#endif
    return type;
}

MappedType parse_map_type(const char* column, const char* text) noexcept {
    std::size_t size = std::strlen(column);
    const char* server_column = from_utf8(column, &size);
    size = std::strlen(text);
    const char* server_text = from_utf8(text, &size);
    ErrorContextCallback place{};
    place.previous = error_context_stack;
    place.callback = describe_map_type;
    place.arg = const_cast<char*>(server_column);
    error_context_stack = &place;
    const MappedType type = parse_type(server_text);
    if (OidIsValid(type.oid) && get_typtype(type.oid) == TYPTYPE_PSEUDO)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("column \"%s\" of out_fmt cannot have pseudo-type %s", server_column,
                               format_type_be(type.oid))));
    error_context_stack = place.previous;
    return type;
}

Field map_column(const std::string& name, const std::string& written_type) {
    const std::string type_name = postgres_type_name(written_type);
    MappedType type = find_keyword_type(type_name);
    if (!OidIsValid(type.oid)) {
        const char* column = name.c_str();
        const char* text = type_name.c_str();
        type = guarded([=]() noexcept { return parse_map_type(column, text); });
    }
    if (!OidIsValid(type.oid))
        throw Error(sqlstate::kUndefinedObject,
                    "type \"" + written_type + "\" of column \"" + name + "\" does not exist");
    Field field{name, column_type_of(type.oid)};
    field.sql_type = type_text(type.oid, type.modifier);
    field.type_oid = type.oid;
    field.type_modifier = type.modifier;
    return field;
}

// -------------------------------------------------------------------------------- prototypes

void require_readable(Oid relation) noexcept {
    const char kind = get_rel_relkind(relation);
    if (kind == RELKIND_COMPOSITE_TYPE) return;
    const AclResult right = pg_class_aclcheck(relation, GetUserId(), ACL_SELECT);
    if (right != ACLCHECK_OK)
        aclcheck_error(right, get_relkind_objtype(kind), get_rel_name(relation));
}

Schema prototype_columns(const std::vector<NamePart>& name) {
    FoundRelation relation;
    try {
        relation = find_relation(name, "out_fmt", /* allows_composite */ true);
    } catch (Error& error) {
        std::string& hint = error.report().hint;
        if (error.report().sqlstate == sqlstate::kUndefinedTable)
            hint += (hint.empty() ? "" : " ") + std::string(kAcceptedForms);
        throw;
    }
    const Oid oid = relation.oid;
    const TupleDesc descriptor = guarded([=]() noexcept {
        require_readable(oid);
        const Oid type = get_rel_type_id(oid);
        if (!OidIsValid(type))
            ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                            errmsg("\"%s\" cannot be a prototype: it has no row type",
                                   get_rel_name(oid))));
        return lookup_rowtype_tupdesc_copy(type, -1);
    });
    return schema_of(descriptor);
}

}  // namespace

Schema mapped_columns(const OutputFormat& format) {
    if (!format.prototype.empty()) return prototype_columns(format.prototype);
    Schema columns;
    columns.reserve(format.column_map.size());
    for (const auto& [name, type] : format.column_map) columns.push_back(map_column(name, type));
    return columns;
}

std::string as_list(const Schema& columns) {
    std::string text = "AS t(";
    for (const Field& column : columns) {
        if (&column != columns.data()) text += ", ";
        text += quote_identifier(column.name) + " " + column.sql_type;
    }
    return text + ")";
}

}  // namespace epe::pg
