// Runs SQL statements over the job tables with their owner's rights.
#include "jobs/owner_sql.h"

#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "pg/boundary/boundary.h"
#include "pg/catalog/owner_context.h"

extern "C" {
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
}

namespace epe::jobs {

using pg::guarded;

namespace {

int lock_timeout = 0;  // 0: the session's
int own_statements = 0;

class OwnStatement {
   public:
    OwnStatement() noexcept { ++own_statements; }
    ~OwnStatement() { --own_statements; }
    OwnStatement(const OwnStatement&) = delete;
    OwnStatement& operator=(const OwnStatement&) = delete;
};

struct View {
    const char* data;
    std::size_t size;
    bool is_null;
    bool is_bytes;
};

View converted(const char* data, std::size_t size, bool is_from_server) noexcept {
    if (size == 0 || GetDatabaseEncoding() == PG_UTF8) return {data, size, false, false};
    char* text = is_from_server ? pg_server_to_any(data, static_cast<int>(size), PG_UTF8)
                                : pg_any_to_server(data, static_cast<int>(size), PG_UTF8);
    return {text, text == data ? size : std::strlen(text), false, false};
}

Datum datum_of(const View& view) noexcept {
    if (!view.is_bytes) {
        const View text = converted(view.data, view.size, false);
        return PointerGetDatum(cstring_to_text_with_len(text.data, static_cast<int>(text.size)));
    }
    auto* bytes = static_cast<bytea*>(palloc(view.size + VARHDRSZ));
    SET_VARSIZE(bytes, view.size + VARHDRSZ);
    std::memcpy(VARDATA(bytes), view.data, view.size);
    return PointerGetDatum(bytes);
}

SPIPlanPtr plan_of(const char* sql, const View* views, int count) noexcept {
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * (static_cast<std::size_t>(count) + 1)));
    for (int i = 0; i < count; ++i) types[i] = views[i].is_bytes ? BYTEAOID : TEXTOID;
    SPIPlanPtr plan = SPI_prepare(sql, count, types);
    if (plan == nullptr) elog(ERROR, "SPI_prepare: %s", SPI_result_code_string(SPI_result));
    (void)SPI_keepplan(plan);
    return plan;
}

SPIPlanPtr execute(const char* sql, SPIPlanPtr kept, const View* views, int count,
                   Visibility visibility) noexcept {
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    SPIPlanPtr plan = kept != nullptr ? kept : plan_of(sql, views, count);
    const std::size_t slots = static_cast<std::size_t>(count) + 1;
    auto* values = static_cast<Datum*>(palloc0(sizeof(Datum) * slots));
    auto* nulls = static_cast<char*>(palloc0(slots));
    for (int i = 0; i < count; ++i) {
        nulls[i] = views[i].is_null ? 'n' : ' ';
        if (!views[i].is_null) values[i] = datum_of(views[i]);
    }
    const bool is_latest = visibility == Visibility::kLatest;
    const int code = is_latest ? SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(),
                                                      InvalidSnapshot, true, false, 0)
                               : SPI_execute_plan(plan, values, nulls, false, 0);
    if (code < 0) elog(ERROR, "SPI_execute: %s", SPI_result_code_string(code));
    return plan;
}

SPIPlanPtr execute_guarded(const char* sql, SPIPlanPtr kept, const View* views, int count,
                           Visibility visibility) {
    try {
        return guarded([=]() noexcept { return execute(sql, kept, views, count, visibility); });
    } catch (pg::PgError& error) {
        pg::add_update_hint(error);
        throw;
    }
}

View bytes_at(std::uint64_t row, int column) noexcept {
    bool is_null = false;
    const Datum value =
        SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &is_null);
    if (is_null) return {"", 0, true, true};
    const bytea* bytes = DatumGetByteaPP(value);
    return {VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), false, true};
}

View value_at(std::uint64_t row, int column) noexcept {
    if (SPI_gettypeid(SPI_tuptable->tupdesc, column) == BYTEAOID) return bytes_at(row, column);
    const char* text = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
    if (text == nullptr) return {"", 0, true, false};
    return converted(text, std::strlen(text), true);
}

std::vector<Row> take_rows() {
    std::vector<Row> rows;
    if (SPI_tuptable == nullptr) return rows;
    const int columns = SPI_tuptable->tupdesc->natts;
    for (std::uint64_t row = 0; row < SPI_processed; ++row) {
        Row& into = rows.emplace_back();
        for (int column = 1; column <= columns; ++column) {
            const View view = guarded([=]() noexcept { return value_at(row, column); });
            if (view.is_null)
                into.emplace_back();
            else
                into.emplace_back(std::string(view.data, view.size));
        }
    }
    return rows;
}

/// Every statement has its index, and plans are cached: a plan made while the tables are almost
/// empty must be good for large ones too.
int set_own_settings() noexcept {
    const int level = NewGUCNestLevel();
    char limit[16];
    (void)snprintf(limit, sizeof(limit), "%d", lock_timeout);
    if (lock_timeout > 0)
        (void)set_config_option("lock_timeout", limit, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                                true, 0, false);
    static constexpr const char* kSettings[][2] = {{"search_path", "pg_catalog, pg_temp"},
                                                   {"enable_seqscan", "off"},
                                                   {"plan_cache_mode", "force_generic_plan"}};
    for (const auto& setting : kSettings)
        (void)set_config_option(setting[0], setting[1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                                true, 0, false);
    return level;
}

}  // namespace

LockTimeout::LockTimeout(int milliseconds) noexcept
    : outer_(std::exchange(lock_timeout, milliseconds)) {}

LockTimeout::~LockTimeout() { lock_timeout = outer_; }

bool is_running_own() noexcept { return own_statements > 0; }

std::vector<Row> execute_sql(const char* sql, const std::vector<Parameter>& parameters,
                             Visibility visibility) {
    // Never destroyed: processes may end without unwinding.
    static auto* plans = std::make_unique<std::map<const char*, SPIPlanPtr>>().release();
    std::vector<View> views;
    views.reserve(parameters.size());
    for (const Parameter& each : parameters)
        views.push_back({each.value().data(), each.value().size(), each.is_null, each.is_bytes});
    const View* first = views.data();
    const int count = static_cast<int>(views.size());
    const auto found = plans->find(sql);
    SPIPlanPtr kept = found == plans->end() ? nullptr : found->second;

    const OwnStatement own;
    const pg::OwnerRights rights;
    const int level = guarded([]() noexcept { return set_own_settings(); });
    SPIPlanPtr plan = execute_guarded(sql, kept, first, count, visibility);
    if (kept == nullptr) plans->emplace(sql, plan);
    std::vector<Row> rows = take_rows();
    guarded([=]() noexcept {
        SPI_finish();
        AtEOXact_GUC(false, level);
    });
    return rows;
}

std::string array_text(const std::vector<std::string>& elements) {
    std::string text = "{";
    for (const std::string& element : elements) {
        if (text.size() > 1) text += ',';
        text += '"';
        for (const char each : element) {
            if (each == '"' || each == '\\') text += '\\';
            text += each;
        }
        text += '"';
    }
    return text + "}";
}

std::vector<std::string> array_elements(const std::string& text) {
    std::vector<std::string> elements;
    std::string element;
    bool is_quoted = false;
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        if (text[i] == '\\') {
            element += text[++i];
        } else if (text[i] == '"') {
            is_quoted = !is_quoted;
        } else if (text[i] == ',' && !is_quoted) {
            elements.push_back(std::move(element));
            element.clear();
        } else {
            element += text[i];
        }
    }
    if (text.size() > 2) elements.push_back(std::move(element));
    return elements;
}

}  // namespace epe::jobs
