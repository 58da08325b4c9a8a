// PostgreSQL's services for a script running in this backend.
#include "pg/backend/host.h"

#include <algorithm>

#include "pg/backend/requester_watch.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/boundary/log.h"
#include "pg/boundary/subtransaction.h"
#include "pg/input/batch_receiver_internal.h"
#include "pg/types/column_types_internal.h"
#include "pg/types/extension_types_internal.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "parser/parse_coerce.h"
#include "parser/parse_type.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
}

namespace epe::pg {

namespace {

/// Parameters in PostgreSQL's form; palloc'ed in the SPI context, together with the plan.
struct Prepared {
    SPIPlanPtr plan;
    Datum* values;
    char* nulls;
    TupleDesc result;  // null when the statement returns no rows
};

struct ParameterView {
    const char* text;
    const char* sql_type;
    const char* bytes;  // NULL has neither text nor bytes
    std::size_t size;
    const char* alternative;  // null: none
    Oid alternative_type;     // the type that the statement expects instead; 0: sql_type applies
};

/// A list, whose element type is inferred.
bool is_array(const ParameterView& parameter) noexcept {
    return std::strcmp(parameter.sql_type, "anyarray") == 0;
}

/// Parameters without a type name get the type that the statement expects.
void infer_types(const char* sql, Oid** types, int* count) noexcept {
    List* statements = pg_parse_query(sql);
    if (list_length(statements) != 1) return;
#if PG_VERSION_NUM >= 150000
    (void)parse_analyze_varparams(linitial_node(RawStmt, statements), sql, types, count, nullptr);
#else
    (void)parse_analyze_varparams(linitial_node(RawStmt, statements), sql, types, count);
#endif
}

/// The declared type of a parameter; 0 lets the statement decide.
Oid named_type(const ParameterView& parameter) noexcept {
    Oid type = InvalidOid;
    std::int32_t modifier = -1;
    if (parameter.sql_type[0] == '\0' || is_array(parameter)) return type;
#if PG_VERSION_NUM >= 160000
    (void)parseTypeString(parameter.sql_type, &type, &modifier, nullptr);
#else
    parseTypeString(parameter.sql_type, &type, &modifier, false);
#endif
    return type;
}

Datum read_bytes(const ParameterView& parameter, Oid type) noexcept {
    if (type != BYTEAOID)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("a bytes parameter must have type bytea")));
    if (parameter.size > MaxAllocSize - VARHDRSZ)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a parameter of %zu bytes is too long", parameter.size)));
    auto* value = static_cast<bytea*>(palloc(parameter.size + VARHDRSZ));
    SET_VARSIZE(value, parameter.size + VARHDRSZ);
    std::memcpy(VARDATA(value), parameter.bytes, parameter.size);
    return PointerGetDatum(value);
}

/// The text of a list for the type that was inferred.
const char* array_text(const ParameterView& parameter, Oid type) noexcept {
    const Oid base = getBaseType(type);
    if (OidIsValid(get_element_type(base)) || TypeCategory(base) == TYPCATEGORY_STRING)
        return parameter.text;
    if ((base == JSONOID || base == JSONBOID) && parameter.alternative != nullptr)
        return parameter.alternative;
    if (is_vector(extension_variant(base))) {
        // [1,2] instead of {"1","2"}.
        auto* text = static_cast<char*>(palloc(std::strlen(parameter.text) + 1));
        char* end = text;
        for (const char* c = parameter.text; *c != '\0'; ++c)
            if (*c != '"') *end++ = *c == '{' ? '[' : *c == '}' ? ']' : *c;
        *end = '\0';
        return text;
    }
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("a list cannot be a parameter of type %s", format_type_be(type)),
                    errhint("Give the text of the value.")));
}

Datum read_parameter(const ParameterView& parameter, Oid type) noexcept {
    if (parameter.bytes != nullptr) return read_bytes(parameter, type);
    const char* const text = OidIsValid(parameter.alternative_type) ? parameter.alternative
                             : is_array(parameter)                  ? array_text(parameter, type)
                                                                    : parameter.text;
    Oid function = InvalidOid;
    Oid io_parameter = InvalidOid;
    getTypeInputInfo(type, &function, &io_parameter);
    std::size_t size = std::strlen(text);
    const char* server_text = from_utf8(text, &size);
    return OidInputFunctionCall(function, pstrdup(server_text), io_parameter, -1);
}

/// The types that a statement expects for the parameters with alternatives. A leaf.
Oid* asked_types(const char* sql, std::size_t size, const ParameterView* parameters,
                 int count) noexcept {
    const char* server_sql = from_utf8(sql, &size);
    auto* types = static_cast<Oid*>(palloc0(sizeof(Oid) * (static_cast<std::size_t>(count) + 1)));
    for (int i = 0; i < count; ++i)
        if (parameters[i].alternative == nullptr) types[i] = named_type(parameters[i]);
    int type_count = count;
    infer_types(server_sql, &types, &type_count);
    for (int i = 0; i < count; ++i) {
        const bool is_asked = parameters[i].alternative != nullptr && !is_array(parameters[i]) &&
                              (std::strcmp(parameters[i].sql_type, "timestamp") == 0
                                   ? types[i] == TIMESTAMPTZOID
                                   : extension_variant(getBaseType(types[i])) == Variant::kHstore);
        if (!is_asked) types[i] = InvalidOid;
    }
    return types;
}

Prepared prepare(const char* sql, std::size_t given, const ParameterView* parameters,
                 int count) noexcept {
    std::size_t size = given;
    const char* server_sql = from_utf8(sql, &size);
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    auto* types = static_cast<Oid*>(palloc0(sizeof(Oid) * (static_cast<std::size_t>(count) + 1)));
    for (int i = 0; i < count; ++i) {
        types[i] = OidIsValid(parameters[i].alternative_type) ? parameters[i].alternative_type
                                                              : named_type(parameters[i]);
    }
    int type_count = count;
    if (count > 0) infer_types(server_sql, &types, &type_count);
    for (int i = 0; i < type_count; ++i)
        if (!OidIsValid(types[i]) || types[i] == UNKNOWNOID) types[i] = TEXTOID;
    if (type_count != count)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_PARAMETER),
                 errmsg("the statement has %d parameters but %d were given", type_count, count)));
    Prepared prepared{};
    prepared.plan = SPI_prepare(server_sql, count, types);
    if (prepared.plan == nullptr)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a script cannot run this statement"),
                        errdetail("%s", SPI_result_code_string(SPI_result))));
    const std::size_t slots = static_cast<std::size_t>(count) + 1;
    prepared.values = static_cast<Datum*>(palloc0(sizeof(Datum) * slots));
    prepared.nulls = static_cast<char*>(palloc0(slots));
    for (int i = 0; i < count; ++i) {
        const bool is_null = parameters[i].text == nullptr && parameters[i].bytes == nullptr;
        prepared.nulls[i] = is_null ? 'n' : ' ';
        if (!is_null) prepared.values[i] = read_parameter(parameters[i], types[i]);
    }
    List* sources = SPI_plan_get_plan_sources(prepared.plan);
    if (list_length(sources) > 1)
        ereport(ERROR,
                (errcode(ERRCODE_SYNTAX_ERROR), errmsg("a script runs one statement at a time"),
                 errhint("Call execute() once for each.")));
    if (sources != NIL)
        prepared.result = static_cast<CachedPlanSource*>(linitial(sources))->resultDesc;
    return prepared;
}

/// The parameters of a statement, in the SPI context. The planner may use small values as
/// constants; it would copy long bytes several times.
ParamListInfo parameter_list(const Prepared& prepared) noexcept {
    const int count = SPI_getargcount(prepared.plan);
    ParamListInfo parameters = makeParamList(count);
    for (int i = 0; i < count; ++i) {
        ParamExternData& parameter = parameters->params[i];
        parameter.value = prepared.values[i];
        parameter.isnull = prepared.nulls[i] == 'n';
        parameter.ptype = SPI_getargtypeid(prepared.plan, i);
        parameter.pflags = parameter.ptype == BYTEAOID ? 0 : PARAM_FLAG_CONST;
    }
    return count > 0 ? parameters : nullptr;
}

std::uint64_t execute_plan(const Prepared& prepared, DestReceiver* destination) noexcept {
    ParamListInfo parameters = parameter_list(prepared);
    if (destination != nullptr) {
        SPIExecuteOptions options{};
        options.dest = destination;
        options.params = parameters;
        const int code = SPI_execute_plan_extended(prepared.plan, &options);
        if (code < 0) elog(ERROR, "statement failed: %s", SPI_result_code_string(code));
        return SPI_processed;
    }
    const int code = SPI_execute_plan_with_paramlist(prepared.plan, parameters, false, 0);
    if (code == SPI_ERROR_TRANSACTION)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a script cannot begin or end transactions")));
    if (code < 0)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a script cannot run this statement"),
                        errdetail("%s", SPI_result_code_string(code))));
    if (destination != nullptr && SPI_tuptable != nullptr) {
        TupleTableSlot* slot = MakeSingleTupleTableSlot(SPI_tuptable->tupdesc, &TTSOpsHeapTuple);
        for (std::uint64_t row = 0; row < SPI_processed; ++row) {
            ExecStoreHeapTuple(SPI_tuptable->vals[row], slot, false);
            (void)destination->receiveSlot(slot, destination);
        }
        ExecDropSingleTupleTableSlot(slot);
    }
    return SPI_processed;
}

class BackendHost final : public Host {
   public:
    void notice(std::string_view text) override { pg::notice(std::string(text)); }
    void warning(std::string_view text) override { pg::warning(std::string(text)); }

    HostResult execute(const std::string& sql,
                       const std::vector<HostParameter>& parameters) override {
#if PG_VERSION_NUM < 170000
        // In a parallel worker's plan of the calling query there are no subtransactions: read-only
        // statements work, but a script cannot handle their errors.
        if (guarded([]() noexcept { return IsInParallelMode(); }))
            return execute_now(sql, parameters);
#endif
        return in_subtransaction([&]() { return execute_now(sql, parameters); });
    }

    void check_interrupts() override {
        guarded([]() noexcept { CHECK_FOR_INTERRUPTS(); });
    }

    void watch(const Requester& requester) override { watch_.begin(requester); }
    void unwatch() noexcept override { watch_.end(); }

   private:
    static HostResult execute_now(const std::string& sql,
                                  const std::vector<HostParameter>& parameters) {
        std::vector<ParameterView> views;
        views.reserve(parameters.size());
        for (const HostParameter& parameter : parameters) {
            const std::string_view bytes = parameter.bytes.value_or(std::string_view());
            const char* const first_byte = bytes.data() == nullptr ? "" : bytes.data();
            views.push_back({parameter.text ? parameter.text->c_str() : nullptr, parameter.sql_type,
                             parameter.bytes ? first_byte : nullptr, bytes.size(),
                             parameter.alternative ? parameter.alternative->c_str() : nullptr,
                             InvalidOid});
        }
        choose_alternatives(sql, views);
        const char* text = sql.c_str();
        const std::size_t size = sql.size();
        const ParameterView* first = views.data();
        const int count = static_cast<int>(views.size());
        const Prepared prepared =
            guarded([=]() noexcept { return prepare(text, size, first, count); });
        HostResult result;
        if (prepared.result != nullptr) {
            result.schema = schema_of(prepared.result);
            BatchBuilder builder(result.schema, BuildOptions{});
            BatchReceiver receiver(result.schema, GroupKeys());
            receiver.start(builder);
            const TextStyleGuard style;
            DestReceiver* destination = receiver.destination();
            result.row_count = static_cast<std::int64_t>(
                guarded([=]() noexcept { return execute_plan(prepared, destination); }));
            result.batch = builder.finish();
            result.batch.schema = nullptr;  // the schema moves with the result
        } else {
            result.row_count = static_cast<std::int64_t>(
                guarded([=]() noexcept { return execute_plan(prepared, nullptr); }));
        }
        guarded([]() noexcept { SPI_finish(); });
        return result;
    }

    /// Finds the parameters for which the statement expects the alternative type. The statement is
    /// analysed in a subtransaction: where a parameter must have its own type, that fails.
    static void choose_alternatives(const std::string& sql, std::vector<ParameterView>& views) {
        const bool has_choice = std::any_of(views.begin(), views.end(), [](const auto& view) {
            return view.alternative != nullptr && !is_array(view);
        });
        if (!has_choice || !guarded([]() noexcept { return !IsInParallelMode(); })) return;
        const char* text = sql.c_str();
        const std::size_t size = sql.size();
        const ParameterView* first = views.data();
        const int count = static_cast<int>(views.size());
        try {
            in_subtransaction([&]() {
                const Oid* types =
                    guarded([=]() noexcept { return asked_types(text, size, first, count); });
                for (std::size_t i = 0; i < views.size(); ++i) views[i].alternative_type = types[i];
                return true;
            });
        } catch (const PgError&) {
            throw;
        } catch (const Error&) {  // a statement that is at fault fails again when it runs
        }
    }

    RequesterWatch watch_{};
};

}  // namespace

std::unique_ptr<Host> make_host() { return std::make_unique<BackendHost>(); }

}  // namespace epe::pg
