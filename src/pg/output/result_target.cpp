// The required shape of a call's result, and the tuples of the SQL call that it becomes.
#include "pg/output/result_target.h"

#include <algorithm>
#include <utility>

#include "core/request/identifiers.h"
#include "pg/backend/settings.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/function_call.h"
#include "pg/types/column_map.h"
#include "pg/types/column_types_internal.h"

extern "C" {
#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "nodes/execnodes.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
}

namespace epe::pg {

namespace {

using Form = OutputFormat::Form;

// ------------------------------------------------------------------- JSON, XML and PNG

Field fixed_field(const char* name, Kind kind) {
    Field field{name, {kind, {}}};
    field.type_oid = kind == Kind::kInt64 ? INT4OID : kind == Kind::kBinary ? BYTEAOID : TEXTOID;
    field.sql_type = kind == Kind::kInt64 ? "integer" : kind == Kind::kBinary ? "bytea" : "text";
    return field;
}

/// The fixed columns of each format (compatibility.md, SQL-34, SQL-38, SQL-41).
Schema fixed_columns(Form form) {
    Schema columns;
    if (form == Form::kPickle || form == Form::kStored)
        return {fixed_field("call", Kind::kInt64), fixed_field("name", Kind::kText),
                fixed_field("piece", Kind::kInt64), fixed_field("data", Kind::kBinary)};
    columns.push_back(fixed_field("name", Kind::kText));
    if (form == Form::kPng) columns.push_back(fixed_field("id", Kind::kInt64));
    columns.push_back(fixed_field("value", Kind::kText));
    if (form != Form::kPng) return columns;
    columns.push_back(fixed_field("title", Kind::kText));
    columns.push_back(fixed_field("image", Kind::kBinary));
    return columns;
}

/// Whether a fixed column can be declared with this type. A leaf.
bool can_hold(Kind kind, Oid type) noexcept {
    if (type == TEXTOID) return kind == Kind::kText;
    type = getBaseType(type);
    switch (kind) {
        case Kind::kText:
            return type == JSONOID || type == JSONBOID || type == XMLOID ||
                   TypeCategory(type) == TYPCATEGORY_STRING;
        case Kind::kInt64:
            return TypeCategory(type) == TYPCATEGORY_NUMERIC;
        default:
            return type == BYTEAOID;
    }
}

// --------------------------------------------------------------------------- row types

struct RowType {
    bool is_composite = false;
    bool is_domain = false;
    Form form = Form::kRelational;
};

/// The formats of the extension's own row types. Types with these names in other extensions have no
/// special meaning.
Form form_of_row_type(Oid type, Oid function) noexcept {
    static constexpr std::pair<const char*, Form> kRowTypes[] = {{"pyq_json", Form::kJson},
                                                                 {"pyq_xml", Form::kXml},
                                                                 {"pyq_png", Form::kPng},
                                                                 {"pyq_pickle", Form::kPickle}};
    const char* name = get_rel_name(get_typ_typrelid(type));
    if (name == nullptr) return Form::kRelational;
    for (const auto& [row_type, form] : kRowTypes) {
        if (strcmp(row_type, name) == 0 && getExtensionOfObject(TypeRelationId, type) ==
                                               getExtensionOfObject(ProcedureRelationId, function))
            return form;
    }
    return Form::kRelational;
}

RowType look_up_row_type(Oid type, Oid function) noexcept {
    RowType row_type;
    Kind kind;
    if (find_scalar_kind(type, kind)) return row_type;
    const Oid base = getBaseType(type);
    row_type.is_composite = get_typtype(base) == TYPTYPE_COMPOSITE;
    row_type.is_domain = base != type;
    if (row_type.is_composite) row_type.form = form_of_row_type(base, function);
    return row_type;
}

Error mismatch(std::string message, std::string detail, const Schema& wanted) {
    ErrorReport report;
    report.sqlstate = sqlstate::kDatatypeMismatch;
    report.message = std::move(message);
    report.detail = std::move(detail);
    report.hint = "Write: " + as_list(wanted);
    return Error(std::move(report));
}

}  // namespace

const char* form_name(OutputFormat::Form form) noexcept {
    switch (form) {
        case Form::kJson:
            return "JSON";
        case Form::kXml:
            return "XML";
        case Form::kPng:
            return "PNG";
        default:
            return "pickle";
    }
}

ResultTarget::ResultTarget(const FunctionCall& call)
    : info_(reinterpret_cast<ReturnSetInfo*>(call.info()->resultinfo)) {
    if (info_ == nullptr || !IsA(info_, ReturnSetInfo))
        throw Error(sqlstate::kUnsupported,
                    "set-valued function called in context that cannot accept a set");
    if ((info_->allowedModes & SFRM_Materialize) == 0)
        throw Error(sqlstate::kUnsupported,
                    "materialize mode required, but it is not allowed in this context");
    descriptor_ = info_->expectedDesc;
}

ResultTarget ResultTarget::from_format(const FunctionCall& call, const OutputFormat& format) {
    ResultTarget target(call);
    if (format.form != Form::kRelational) {
        target.take_fixed(format.form);
        return target;
    }
    Schema wanted = mapped_columns(format);
    target.require_as_list(wanted);
    if (wanted.empty())
        target.take_result(schema_of(target.descriptor_));
    else
        target.take_matched(std::move(wanted));
    return target;
}

ResultTarget ResultTarget::from_row_type(const FunctionCall& call, int row_argument) {
    ResultTarget target(call);
    const Oid type = call.argument_type(row_argument);
    target.require_as_list({});
    const Oid function = call.info()->flinfo->fn_oid;
    RowType row_type{};
    if (type != RECORDOID)
        row_type = guarded([=]() noexcept { return look_up_row_type(type, function); });
    if (row_type.is_composite && row_type.is_domain) target.row_domain_ = type;
    if (row_type.form != Form::kRelational) {
        target.take_fixed(row_type.form);
        return target;
    }
    target.take_result(schema_of(target.descriptor_));
    if (type != RECORDOID && !row_type.is_composite) {
        target.shape_.is_scalar = true;
        target.shape_.columns.front().name.clear();
    }
    return target;
}

/// PostgreSQL itself rejects FROM without an AS list; this is for other places, such as SELECT
/// lists.
void ResultTarget::require_as_list(const Schema& wanted) const {
    if (descriptor_ != nullptr) return;
    throw Error(sqlstate::kUnsupported,
                "function returning record called in context that cannot accept type record",
                "Call it in FROM with a column list, as in SELECT * FROM ... " +
                    (wanted.empty() ? "AS t(x integer)" : as_list(wanted)) +
                    ", or give a row type instead of out_fmt.");
}

void ResultTarget::take_fixed(Form form) {
    Schema wanted = fixed_columns(form);
    require_as_list(wanted);
    const Schema result = schema_of(descriptor_);
    bool fits = result.size() == wanted.size();
    for (std::size_t i = 0; fits && i < wanted.size(); ++i) {
        const Kind kind = wanted[i].type.kind;
        const Oid type = result[i].type_oid;
        fits = guarded([=]() noexcept { return can_hold(kind, type); });
    }
    if (!fits)
        throw mismatch(std::string("column list does not fit out_fmt ") + form_name(form), "",
                       wanted);
    take_result(result);
    shape_.form = form;
    shape_.columns = std::move(wanted);
    shape_.most_items = output_limit();
    shape_.piece_bytes = output_piece();
}

ResultTarget ResultTarget::for_value(const FunctionCall& call) {
    ResultTarget target(call);
    const Schema wanted = fixed_columns(Form::kJson);
    target.require_as_list(wanted);
    target.take_result(schema_of(target.descriptor_));
    const Schema result = std::exchange(target.shape_.columns, {});
    const std::vector<TargetColumn> places = std::exchange(target.columns_, {});
    std::vector<std::size_t> texts;
    for (std::size_t i = 0; i < result.size(); ++i) {
        const Oid type = result[i].type_oid;
        if (!guarded([=]() noexcept { return can_hold(Kind::kText, type); })) continue;
        if (equals_ignoring_case(result[i].name, "value")) {
            texts = {i};
            break;
        }
        texts.push_back(i);
    }
    if (texts.size() != 1)
        throw mismatch(std::string("column list cannot take the URL of a job"),
                       "It has no column \"value\" of a type for texts.", wanted);
    target.columns_.push_back(places[texts.front()]);
    target.shape_.columns.push_back(wanted[1]);
    return target;
}

void ResultTarget::take_result(Schema result) {
    shape_.most_bytes = output_bytes();
    columns_.reserve(result.size());
    int attribute = 0;
    for (const Field& field : result) {
        while (TupleDescAttr(descriptor_, attribute)->attisdropped) ++attribute;
        columns_.push_back({attribute++, field.type_oid, field.type_modifier, field.type_oid,
                            field.type_modifier});
    }
    shape_.columns = std::move(result);
}

void ResultTarget::take_matched(Schema wanted) {
    constexpr const char* kMessage = "column list does not name the columns of out_fmt";
    take_result(schema_of(descriptor_));
    const Schema result = std::exchange(shape_.columns, {});
    const std::vector<TargetColumn> places = std::exchange(columns_, {});
    std::vector<bool> is_taken(result.size());
    for (const Field& field : wanted) {
        const int index = find_column(result, field.name).index;
        if (index < 0 || is_taken[static_cast<std::size_t>(index)])
            throw mismatch(kMessage, "The column list has no column \"" + field.name + "\".",
                           wanted);
        is_taken[static_cast<std::size_t>(index)] = true;
        TargetColumn column = places[static_cast<std::size_t>(index)];
        column.mapped_type = field.type_oid;
        column.mapped_modifier = field.type_modifier;
        columns_.push_back(column);
    }
    const auto left = std::find(is_taken.begin(), is_taken.end(), false);
    if (left != is_taken.end())
        throw mismatch(kMessage,
                       "Column \"" +
                           result[static_cast<std::size_t>(left - is_taken.begin())].name +
                           "\" of the column list is not in out_fmt.",
                       wanted);
    shape_.columns = std::move(wanted);
}

OutputShape stored_shape() {
    OutputShape shape;
    shape.form = Form::kStored;
    shape.columns = fixed_columns(Form::kStored);
    return shape;
}

}  // namespace epe::pg
