// Finds a table, view or composite type by a name as users write it.
#include "pg/types/relation_lookup.h"

#include <algorithm>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"

extern "C" {
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

namespace epe::pg {

namespace {

/// The oid of a relation by exact names; 0 when there is none. `schema` may be null.
Oid lookup_exact(const char* schema, const char* name) {
    return guarded([=]() noexcept {
        std::size_t name_size = std::strlen(name);
        const char* server_name = from_utf8(name, &name_size);
        std::size_t schema_size = schema == nullptr ? 0 : std::strlen(schema);
        const char* server_schema = schema == nullptr ? nullptr : from_utf8(schema, &schema_size);
        if (server_schema != nullptr && !OidIsValid(get_namespace_oid(server_schema, true)))
            return InvalidOid;
        RangeVar* range = makeRangeVar(server_schema == nullptr ? nullptr : pstrdup(server_schema),
                                       pstrdup(server_name), -1);
        return RangeVarGetRelid(range, NoLock, true);
    });
}

bool is_row_source(Oid relation, bool allows_composite) {
    const char kind = guarded([=]() noexcept { return get_rel_relkind(relation); });
    switch (kind) {
        case RELKIND_RELATION:
        case RELKIND_VIEW:
        case RELKIND_MATVIEW:
        case RELKIND_FOREIGN_TABLE:
        case RELKIND_PARTITIONED_TABLE:
        case RELKIND_SEQUENCE:
            return true;
        default:
            return kind == RELKIND_COMPOSITE_TYPE && allows_composite;
    }
}

struct Candidates {
    const Oid* oids;
    std::uint64_t count;
};

/// Relations whose name and schema differ from these at most in case, or not at all if quoted;
/// without a schema, the visible ones.
std::vector<Oid> lookup_ignoring_case(const NamePart* schema, const NamePart& name) {
    const char* schema_text = schema == nullptr ? "" : schema->text.c_str();
    const char* name_text = name.text.c_str();
    const bool is_exact_schema = schema != nullptr && schema->was_quoted;
    const bool is_exact_name = name.was_quoted;
    const Candidates found = guarded([=]() noexcept {
        Oid types[4] = {TEXTOID, TEXTOID, BOOLOID, BOOLOID};
        MemoryContext caller = CurrentMemoryContext;
        std::size_t name_size = std::strlen(name_text);
        std::size_t schema_size = std::strlen(schema_text);
        Datum values[4] = {CStringGetTextDatum(from_utf8(name_text, &name_size)),
                           CStringGetTextDatum(from_utf8(schema_text, &schema_size)),
                           BoolGetDatum(is_exact_name), BoolGetDatum(is_exact_schema)};
        SPI_connect();
        SPI_execute_with_args(
            "SELECT c.oid FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
            " WHERE pg_catalog.lower(c.relname::pg_catalog.text)"
            "   OPERATOR(pg_catalog.=) pg_catalog.lower($1)"
            " AND (NOT $3 OR c.relname::pg_catalog.text OPERATOR(pg_catalog.=) $1)"
            " AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,m,f,p,c}'::pg_catalog.\"char\"[])"
            " AND CASE WHEN $2 OPERATOR(pg_catalog.=) '' THEN pg_catalog.pg_table_is_visible(c.oid)"
            "   WHEN $4 THEN n.nspname::pg_catalog.text OPERATOR(pg_catalog.=) $2"
            "   ELSE pg_catalog.lower(n.nspname::pg_catalog.text)"
            "     OPERATOR(pg_catalog.=) pg_catalog.lower($2) END"
            " ORDER BY c.oid",
            4, types, values, nullptr, true, 0);
        const std::uint64_t count = SPI_processed;
        auto* oids = static_cast<Oid*>(MemoryContextAlloc(caller, sizeof(Oid) * (count + 1)));
        for (std::uint64_t i = 0; i < count; ++i) {
            bool is_null = false;
            oids[i] = DatumGetObjectId(
                SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &is_null));
        }
        SPI_finish();
        return Candidates{oids, count};
    });
    return {found.oids, found.oids + found.count};
}

std::string qualified_name(Oid relation) {
    struct Names {
        const char* schema;
        std::size_t schema_size;
        const char* name;
        std::size_t name_size;
    };
    const Names names = guarded([=]() noexcept {
        Names found{get_namespace_name(get_rel_namespace(relation)), 0, get_rel_name(relation), 0};
        if (found.schema == nullptr || found.name == nullptr)
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation was dropped")));
        found.schema_size = std::strlen(found.schema);
        found.schema = to_utf8(found.schema, &found.schema_size);
        found.name_size = std::strlen(found.name);
        found.name = to_utf8(found.name, &found.name_size);
        return found;
    });
    return quote_identifier({names.schema, names.schema_size}) + "." +
           quote_identifier({names.name, names.name_size});
}

Oid lookup_by_spelling(const NamePart* schema, const NamePart& name) {
    const auto spelled = [](const NamePart& part, bool is_folded) {
        return is_folded && !part.was_quoted ? fold_case(part.text) : part.text;
    };
    for (const bool is_folded : {false, true}) {
        const std::string schema_text = schema == nullptr ? "" : spelled(*schema, is_folded);
        const Oid found = lookup_exact(schema == nullptr ? nullptr : schema_text.c_str(),
                                       spelled(name, is_folded).c_str());
        if (OidIsValid(found)) return found;
    }
    return InvalidOid;
}

/// Throws unless the name is the current database's; PostgreSQL accepts only that one, too.
void require_current_database(const NamePart& database, const char* argument) {
    struct Name {
        const char* text;
        std::size_t size;
    };
    const Name current = guarded([]() noexcept {
        Name name{get_database_name(MyDatabaseId), 0};
        name.size = name.text == nullptr ? 0 : std::strlen(name.text);
        if (name.size > 0) name.text = to_utf8(name.text, &name.size);
        return name;
    });
    const std::string_view name(current.text, current.size);
    if (database.text == name || (!database.was_quoted && fold_case(database.text) == name)) return;
    ErrorReport report;
    report.sqlstate = sqlstate::kInvalidArgument;
    report.message = std::string("argument \"") + argument + "\" names another database";
    report.detail =
        "It names \"" + database.text + "\", and the current one is \"" + std::string(name) + "\".";
    report.hint = "Write the name as table or schema.table.";
    throw Error(std::move(report));
}

/// The name for a message, without the quotes it was written in.
std::string plain_name(const std::vector<NamePart>& parts) {
    std::string name;
    for (const NamePart& part : parts) name += (name.empty() ? "" : ".") + part.text;
    return name;
}

bool has_unquoted_space(const std::vector<NamePart>& parts) {
    return std::any_of(parts.begin(), parts.end(), [](const NamePart& part) {
        return !part.was_quoted && part.text.find_first_of(" \t\r\n") != std::string::npos;
    });
}

}  // namespace

FoundRelation find_relation(const std::vector<NamePart>& parts, const char* argument,
                            bool allows_composite) {
    if (parts.size() > 2) require_current_database(parts[0], argument);
    const NamePart& name = parts.back();
    const NamePart* schema = parts.size() >= 2 ? &parts[parts.size() - 2] : nullptr;
    Oid found = lookup_by_spelling(schema, name);
    std::string candidates;
    const bool is_exact = name.was_quoted && (schema == nullptr || schema->was_quoted);
    if (!OidIsValid(found) && !is_exact) {
        std::vector<Oid> similar = lookup_ignoring_case(schema, name);
        std::erase_if(similar, [&](Oid oid) { return !is_row_source(oid, allows_composite); });
        if (similar.size() == 1) found = similar[0];
        for (const Oid oid : similar)
            candidates += (candidates.empty() ? "" : ", ") + qualified_name(oid);
    }
    if (!OidIsValid(found) || !is_row_source(found, allows_composite)) {
        ErrorReport report;
        report.sqlstate = sqlstate::kUndefinedTable;
        report.message = OidIsValid(found)
                             ? "\"" + plain_name(parts) + "\" is not a table or view"
                             : "table or view \"" + plain_name(parts) + "\" does not exist";
        if (!candidates.empty())
            report.hint = "Perhaps you meant one of: " + candidates + ".";
        else if (!allows_composite && has_unquoted_space(parts))
            report.hint = "A query begins with SELECT, WITH, VALUES or TABLE.";
        throw Error(std::move(report));
    }
    return {found, qualified_name(found)};
}

}  // namespace epe::pg
