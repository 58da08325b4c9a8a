// Converts the values of one result column to Datums of its type: a maker, then possibly a cast.
#include "pg/output/cast_internal.h"

#include "pg/output/default_datum_internal.h"
#include "pg/types/extension_types_internal.h"

extern "C" {
#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace epe::pg {

namespace {

template <typename T>
T* allocate(std::size_t count) noexcept {
    // Arrays of pointers too. NOLINTNEXTLINE(bugprone-sizeof-expression)
    return static_cast<T*>(palloc0(sizeof(T) * count));
}

/// Source type and typmod of a cast.
struct Source {
    Oid type = InvalidOid;
    int32 modifier = -1;
};

// ---------------------------------------------------------------------------------- casts

[[noreturn]] void raise_no_cast(const char* from, const ConversionTarget& target,
                                const ConversionSite& site, bool can_be_mapped) noexcept {
    char* type = format_type_with_typemod(can_be_mapped ? target.type : target.mapped_type,
                                          can_be_mapped ? target.modifier : target.mapped_modifier);
    if (site.column == nullptr)
        ereport(ERROR, (errcode(ERRCODE_CANNOT_COERCE),
                        errmsg("cannot convert the result from %s to %s", from, type)));
    ereport(ERROR, (errcode(ERRCODE_CANNOT_COERCE),
                    errmsg("cannot convert column \"%s\" from %s to %s", site.column, from, type)));
}

/// The two stages as one expression over a placeholder; the placeholder itself if no conversion is
/// needed; null when there is no such cast. `is_mapped` tells whether the first stage exists.
Node* build_cast(Source source, const ConversionTarget& target, bool* is_mapped) noexcept {
    CaseTestExpr* placeholder = makeNode(CaseTestExpr);
    placeholder->typeId = source.type;
    placeholder->typeMod = source.modifier;
    placeholder->collation = get_typcollation(source.type);
    Node* value = reinterpret_cast<Node*>(placeholder);
    *is_mapped = true;
    if (source.type != target.mapped_type || source.modifier != target.mapped_modifier) {
        value = coerce_to_target_type(nullptr, value, source.type, target.mapped_type,
                                      target.mapped_modifier, COERCION_EXPLICIT,
                                      COERCE_EXPLICIT_CAST, -1);
        *is_mapped = value != nullptr;
    }
    if (value == nullptr ||
        (target.mapped_type == target.type && target.mapped_modifier == target.modifier))
        return value;
    return coerce_to_target_type(nullptr, value, target.mapped_type, target.type, target.modifier,
                                 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
}

bool is_domain(Oid type) noexcept { return get_typtype(type) == TYPTYPE_DOMAIN; }

void set_cast(Conversion* conversion, Node* cast, const ConversionTarget& target) noexcept {
    if (IsA(cast, CaseTestExpr)) return;
    conversion->cast = ExecInitExpr(expression_planner(reinterpret_cast<Expr*>(cast)), nullptr);
    conversion->casts_nulls = is_domain(target.mapped_type) || is_domain(target.type);
}

/// No conversion: the usual case, which needs no expression.
bool is_final(Source source, const ConversionTarget& target) noexcept {
    return source.type == target.mapped_type && source.modifier == target.mapped_modifier &&
           source.type == target.type && source.modifier == target.modifier;
}

void require_cast(Conversion* conversion, Source source, const ConversionTarget& target,
                  const ConversionSite& site) noexcept {
    if (is_final(source, target)) return;
    bool is_mapped = false;
    Node* cast = build_cast(source, target, &is_mapped);
    if (cast == nullptr)
        raise_no_cast(format_type_be(is_mapped ? target.mapped_type : source.type), target, site,
                      is_mapped);
    set_cast(conversion, cast, target);
}

void choose_scalar(Conversion* conversion, const ConversionTarget& target,
                   const ConversionSite& site) noexcept {
    NaturalType naturals[kMaxNaturalTypes];
    const int count =
        find_natural_types(conversion->kind, getBaseType(target.mapped_type), naturals);
    for (int i = 0; i < count; ++i) {
        conversion->make = naturals[i].make;
        if (is_final({naturals[i].type, -1}, target)) return;
        bool is_mapped = false;
        Node* cast = build_cast({naturals[i].type, -1}, target, &is_mapped);
        if (cast == nullptr && !is_mapped && i + 1 < count) continue;
        if (cast != nullptr)
            set_cast(conversion, cast, target);
        else
            require_cast(conversion, {naturals[0].type, -1}, target, site);  // raises
        return;
    }
}

// ---------------------------------------------------------------------------------- lists

[[noreturn]] void raise_broken_list() noexcept {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("result list has a broken shape")));
}

[[noreturn]] void raise_long_array(int most) noexcept {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("array size exceeds the maximum allowed (%d)", most)));
}

/// Converts the elements of an array. They may be much larger than what they are made from, so
/// this stops once they no longer fit into a value, and when the statement is cancelled.
void convert_elements(const Conversion& conversion, const Column& elements, std::int64_t first,
                      std::int64_t count, Datum* values, bool* nulls) {
    constexpr std::int64_t kChecked = 1024;  // the elements between two checks for interrupts
    Size size = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        if (i % kChecked == 0) CHECK_FOR_INTERRUPTS();
        values[i] = convert_value(*conversion.children[0], elements, first + i, &nulls[i]);
        if (nulls[i] || conversion.element_by_value) continue;
        size = att_addlength_datum(size, conversion.element_length, values[i]);
        if (!AllocSizeIsValid(size)) raise_long_array(static_cast<int>(MaxAllocSize));
    }
}

Datum make_array(const Conversion& conversion, const Column& column, std::int64_t row) {
    const auto* offsets = column.offsets.as<std::int64_t>();
    const std::int64_t first = offsets[row];
    const std::int64_t count = offsets[row + 1] - first;
    if (count == 0) return PointerGetDatum(construct_empty_array(conversion.element_type));
    constexpr int kMostElements = MaxAllocSize / sizeof(Datum);
    if (count > kMostElements) raise_long_array(kMostElements);
    int dimensions = 1;
    int sizes[MAXDIM] = {static_cast<int>(count)};
    int lower_bounds[MAXDIM];
    for (int& bound : lower_bounds) bound = 1;
    if (!column.shapes.empty()) {
        const ListShape& shape = column.shapes.as<ListShape>()[row];
        dimensions = shape.dimensions;
        if (dimensions < 1 || dimensions > MAXDIM) raise_broken_list();
        std::int64_t product = 1;
        for (int i = 0; i < dimensions; ++i) product *= sizes[i] = shape.sizes[i];
        if (product != count) raise_broken_list();
    }
    auto* values = allocate<Datum>(static_cast<std::size_t>(count));
    auto* nulls = allocate<bool>(static_cast<std::size_t>(count));
    convert_elements(conversion, column.children.front(), first, count, values, nulls);
    return PointerGetDatum(construct_md_array(
        values, nulls, dimensions, sizes, lower_bounds, conversion.element_type,
        conversion.element_length, conversion.element_by_value, conversion.element_alignment));
}

/// The element type of a list when the target is not an array: the natural type of their kind.
Oid natural_element_type(const Column& elements) noexcept {
    NaturalType naturals[kMaxNaturalTypes];
    if (find_natural_types(elements.type.kind, InvalidOid, naturals) > 0) return naturals[0].type;
    return elements.type.kind == Kind::kNull ? TEXTOID : InvalidOid;
}

void make_elements(Conversion* conversion, const Column& elements, Oid element, int32 modifier,
                   const ConversionSite& site) noexcept {
    conversion->make = make_array;
    conversion->element_type = element;
    get_typlenbyvalalign(element, &conversion->element_length, &conversion->element_by_value,
                         &conversion->element_alignment);
    conversion->child_count = 1;
    conversion->children = allocate<Conversion*>(1);
    conversion->children[0] =
        make_conversion(elements, {element, modifier, element, modifier}, site);
}

/// pgvector's types have casts from float arrays; older versions cast to sparsevec only from
/// vector.
void choose_vector(Conversion* conversion, const Column& elements, const ConversionTarget& target,
                   const ConversionSite& site) noexcept {
    const Kind kind = elements.type.kind;
    const bool is_double = kind != Kind::kFloat32 && kind != Kind::kText && kind != Kind::kNull;
    make_elements(conversion, elements, is_double ? FLOAT8OID : FLOAT4OID, -1, site);
    const Source source{get_array_type(conversion->element_type), -1};
    bool is_mapped = false;
    Node* cast = build_cast(source, target, &is_mapped);
    if (cast == nullptr && !is_mapped && target.mapped_type == target.type &&
        target.mapped_modifier == target.modifier)
        cast = build_cast(
            source,
            {vector_type_beside(getBaseType(target.type)), -1, target.type, target.modifier},
            &is_mapped);
    if (cast == nullptr) raise_no_cast(format_type_be(source.type), target, site, is_mapped);
    set_cast(conversion, cast, target);
}

void choose_list(Conversion* conversion, const Column& sample, const ConversionTarget& target,
                 const ConversionSite& site) noexcept {
    Source source;
    source.modifier = target.mapped_modifier;
    source.type = getBaseTypeAndTypmod(target.mapped_type, &source.modifier);
    const Column& elements = sample.children.front();
    Oid element = get_element_type(source.type);
    if (is_vector(extension_variant(source.type))) {
        choose_vector(conversion, elements, target, site);
        return;
    }
    if (!OidIsValid(element)) {
        element = natural_element_type(elements);
        source = {OidIsValid(element) ? get_array_type(element) : InvalidOid, -1};
        if (!OidIsValid(source.type)) raise_no_cast("a list", target, site, false);
    }
    make_elements(conversion, elements, element, source.modifier, site);
    require_cast(conversion, source, target, site);
}

// ----------------------------------------------------------------------------- alternatives

/// Values of several classes for a non-composite type: each is converted from its own natural type.
void choose_alternatives(Conversion* conversion, const Column& sample,
                         const ConversionTarget& target, const ConversionSite& site) noexcept {
    conversion->is_alternatives = true;
    conversion->child_count = static_cast<int>(sample.children.size());
    conversion->children = allocate<Conversion*>(sample.children.size());
    for (std::size_t i = 0; i < sample.children.size(); ++i)
        conversion->children[i] = make_conversion(sample.children[i], target, site);
}

// -------------------------------------------------------------------------------- structs

Datum make_row(const Conversion& conversion, const Column& column, std::int64_t row) {
    const auto count = static_cast<std::size_t>(conversion.child_count);
    auto* values = allocate<Datum>(count);
    auto* nulls = allocate<bool>(count);
    const Column* child = column.children.data();
    for (std::size_t i = 0; i < count; ++i) {
        nulls[i] = true;
        if (conversion.children[i] == nullptr) continue;
        values[i] = convert_value(*conversion.children[i], *child++, row, &nulls[i]);
    }
    const Datum made = HeapTupleGetDatum(heap_form_tuple(conversion.row_type, values, nulls));
    pfree(nulls);
    pfree(values);
    return made;
}

void choose_struct(Conversion* conversion, const Column& sample, const ConversionTarget& target,
                   const ConversionSite& site) noexcept {
    const Oid type = getBaseType(target.mapped_type);
    if (get_typtype(type) != TYPTYPE_COMPOSITE) {
        if (sample.children.empty()) raise_no_cast("a record", target, site, false);
        choose_alternatives(conversion, sample, target, site);
        return;
    }
    conversion->make = make_row;
    conversion->row_type = lookup_rowtype_tupdesc_copy(type, -1);
    conversion->child_count = conversion->row_type->natts;
    conversion->children = allocate<Conversion*>(static_cast<std::size_t>(conversion->child_count));
    std::size_t next = 0;
    for (int i = 0; i < conversion->child_count; ++i) {
        Form_pg_attribute field = TupleDescAttr(conversion->row_type, i);
        if (field->attisdropped || next == sample.children.size()) continue;
        conversion->children[i] = make_conversion(
            sample.children[next++],
            {field->atttypid, field->atttypmod, field->atttypid, field->atttypmod}, site);
    }
    require_cast(conversion, {type, -1}, target, site);
}

Datum make_nothing(const Conversion&, const Column&, std::int64_t) { return 0; }

}  // namespace

Conversion* make_conversion(const Column& sample, const ConversionTarget& target,
                            const ConversionSite& site) noexcept {
    auto* conversion = allocate<Conversion>(1);
    *conversion = Conversion{};
    conversion->kind = sample.type.kind;
    conversion->expressions = site.expressions;
    switch (sample.type.kind) {
        case Kind::kList:
            choose_list(conversion, sample, target, site);
            break;
        case Kind::kStruct:
            choose_struct(conversion, sample, target, site);
            break;
        case Kind::kNull: {
            Source source{InvalidOid, target.mapped_modifier};
            source.type = getBaseTypeAndTypmod(target.mapped_type, &source.modifier);
            conversion->make = make_nothing;
            require_cast(conversion, source, target, site);
            break;
        }
        default:
            choose_scalar(conversion, target, site);
    }
    return conversion;
}

Datum convert_alternative(const Conversion& conversion, const Column& column, std::int64_t row,
                          bool* is_null) {
    std::size_t chosen = 0;  // also for NULL, which a domain may reject
    while (chosen + 1 < column.children.size() && column.children[chosen].is_null(row)) ++chosen;
    return convert_value(*conversion.children[chosen], column.children[chosen], row, is_null);
}

bool is_conversion_for(const Conversion& conversion, const Column& column) noexcept {
    if (conversion.kind != column.type.kind) return false;
    std::size_t next = 0;
    for (int i = 0; i < conversion.child_count; ++i) {
        if (conversion.children[i] == nullptr) continue;
        if (next == column.children.size() ||
            !is_conversion_for(*conversion.children[i], column.children[next++]))
            return false;
    }
    return true;
}

}  // namespace epe::pg
