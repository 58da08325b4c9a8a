// Reads the rows of one table or query as columnar batches.
#include "pg/input/query_source.h"

#include <utility>

#include "core/request/identifiers.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/input/batch_receiver_internal.h"
#include "pg/input/executed_query_internal.h"
#include "pg/types/column_types_internal.h"
#include "pg/types/relation_lookup.h"

extern "C" {
#include "catalog/dependency.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_relation.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
}

namespace epe::pg {

namespace {

/// A saved plan, released by a reset callback of its memory context.
struct HeldPlan {
    MemoryContextCallback callback;
    SPIPlanPtr plan;
};

void free_held_plan(void* argument) noexcept {
    auto* held = static_cast<HeldPlan*>(argument);
    if (held->plan != nullptr) SPI_freeplan(held->plan);
    held->plan = nullptr;
}

void check_reads_only(SPIPlanPtr plan) noexcept {
    List* sources = SPI_plan_get_plan_sources(plan);
    if (list_length(sources) != 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("argument \"inp_nam\" must hold a single query")));
    auto* source = static_cast<CachedPlanSource*>(linitial(sources));
    auto* query = list_length(source->query_list) == 1
                      ? static_cast<Query*>(linitial(source->query_list))
                      : nullptr;
    if (query == nullptr || query->commandType != CMD_SELECT || source->resultDesc == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("argument \"inp_nam\" must hold a query that returns rows")));
    if (query->hasModifyingCTE || query->rowMarks != NIL)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a query in argument \"inp_nam\" must only read"),
                        errdetail("It changes or locks rows.")));
}

HeldPlan* prepare(const char* sql, std::size_t given, int options) noexcept {
    std::size_t size = given;
    const char* server_sql = from_utf8(sql, &size);
    MemoryContext caller = CurrentMemoryContext;
    auto* held = static_cast<HeldPlan*>(palloc0(sizeof(HeldPlan)));
    held->callback.func = free_held_plan;
    held->callback.arg = held;
    SPI_connect();
    SPIPlanPtr plan = SPI_prepare_cursor(server_sql, 0, nullptr, options);
    if (plan == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("argument \"inp_nam\" must hold a query that returns rows"),
                        errdetail("%s", SPI_result_code_string(SPI_result))));
    check_reads_only(plan);
    SPI_keepplan(plan);
    held->plan = plan;
    MemoryContextRegisterResetCallback(caller, &held->callback);
    SPI_finish();
    return held;
}

TextView statement_text(SPIPlanPtr plan) noexcept {
    auto* source = static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)));
    const RawStmt* statement = source->raw_parse_tree;
    const char* text = source->query_string + statement->stmt_location;
    // A length of 0 means: to the end.
    return utf8_view(text, statement->stmt_len > 0 ? static_cast<std::size_t>(statement->stmt_len)
                                                   : std::strlen(text));
}

bool is_temporary(SPIPlanPtr plan) noexcept {
    auto* source = static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)));
    auto* query = static_cast<Query*>(linitial(source->query_list));
#if PG_VERSION_NUM >= 190000
    ObjectAddress found;
    return query_uses_temp_object(query, &found);
#else
    return isQueryUsingTempRelation(query);
#endif
}

SortedQuery* sorted_query(SPIPlanPtr plan, const char* sql, std::size_t given, const SortKey* keys,
                          std::size_t count) noexcept {
    std::size_t size = given;
    const char* text = pstrdup(from_utf8(sql, &size));
    auto* source = static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)));
    return sort_query(static_cast<Query*>(linitial(source->query_list)), text, keys, count);
}

TupleDesc result_descriptor(SPIPlanPtr plan) noexcept {
    auto* source = static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)));
    return CreateTupleDescCopy(source->resultDesc);
}

class QuerySource final : public InputSource {
   public:
    QuerySource(const std::string& sql, Representation representation, bool may_spool) {
        const char* text = sql.c_str();
        const std::size_t size = sql.size();
        const int options = may_spool ? CURSOR_OPT_PARALLEL_OK : 0;
        held_ = guarded([=]() noexcept { return prepare(text, size, options); });
        SPIPlanPtr plan = held_->plan;
        descriptor_ = guarded([=]() noexcept { return result_descriptor(plan); });
        schema_ = schema_of(descriptor_, representation);
    }

    /// The statement alone, usable as a subquery: without the semicolon and anything after it.
    std::string statement() const {
        SPIPlanPtr plan = held_->plan;
        return guarded([=]() noexcept { return statement_text(plan); }).copy();
    }

    bool reads_temporary_tables() const {
        SPIPlanPtr plan = held_->plan;
        return guarded([=]() noexcept { return is_temporary(plan); });
    }

    /// The planner's estimate of its rows.
    double row_estimate() const {
        SPIPlanPtr plan = held_->plan;
        return guarded([=]() noexcept { return estimated_rows(plan); });
    }

    /// Sorts the rows; `sql` is the text of the statement that would return them. Before read().
    void sort_by(const std::vector<SortKey>& keys, const std::string& sql) {
        SPIPlanPtr plan = held_->plan;
        const char* text = sql.c_str();
        const std::size_t size = sql.size();
        const SortKey* first = keys.data();
        const std::size_t count = keys.size();
        sorted_ = guarded([=]() noexcept { return sorted_query(plan, text, size, first, count); });
    }

    /// 0-based positions of the grouping columns; the rows must be sorted by them.
    void group_by(const std::vector<int>& columns) { keys_ = GroupKeys(descriptor_, columns); }

    const Schema& schema() const override { return schema_; }

    std::int64_t read(BatchBuilder& into, std::int64_t max_rows) override {
        if (is_at_end_) return 0;
        if (receiver_ == nullptr)
            receiver_ = std::make_unique<BatchReceiver>(schema_, std::move(keys_));
        receiver_->start(into);
        const TextStyleGuard style;
        if (!is_started_) start(max_rows == 0 && sorted_ == nullptr);
        if (is_started_)
            fetch(max_rows);
        else
            read_all();
        const std::int64_t rows = receiver_->rows_seen();
        is_at_end_ = !receiver_->is_stopped() && (max_rows == 0 || rows < max_rows);
        // So that a script may alter a table that has been read as a whole.
        if (is_at_end_ && max_rows == 0) end_started();
        return rows;
    }

    void close() override {
        end_started();
        const Spool spool = std::exchange(spool_, Spool{});
        HeldPlan* held = held_;
        guarded([=]() noexcept {
            if (spool.store != nullptr) end_spool(spool);
            free_held_plan(held);
        });
        is_at_end_ = true;
    }

   private:
    void read_all() {
        SPIPlanPtr plan = held_->plan;
        DestReceiver* destination = receiver_->destination();
        guarded([=]() noexcept {
            SPIExecuteOptions options{};
            options.read_only = true;
            options.dest = destination;
            SPI_connect();
            SPI_execute_plan_extended(plan, &options);
            SPI_finish();
        });
    }

    void fetch(std::int64_t max_rows) {
        const auto count = static_cast<std::uint64_t>(max_rows);
        DestReceiver* destination = receiver_->destination();
        QueryDesc* query = query_;
        HeapReader* reader = reader_.get();
        const Spool spool = spool_;
        guarded([=]() noexcept {
            if (reader != nullptr)
                read_heap(reader, query, count);
            else if (query != nullptr)
                run_query(query, count, false);
            else
                read_spool(spool, count, destination);
        });
    }

    /// If `only_scan`, starts the query only if HeapReader may be able to read it.
    void start(bool only_scan) {
        SPIPlanPtr plan = held_->plan;
        DestReceiver* destination = receiver_->destination();
        const SortedQuery* sorted = sorted_;
        query_ =
            guarded([=]() noexcept { return start_query(plan, sorted, destination, only_scan); });
        if (query_ == nullptr) return;
        is_started_ = true;
        QueryDesc* query = query_;
        if (guarded([=]() noexcept { return HeapReader::can_read(query); }))
            reader_ = std::make_unique<HeapReader>(query, *receiver_);
        if (!query->plannedstmt->parallelModeNeeded) return;
        query_ = nullptr;
        spool_ = guarded([=]() noexcept { return spool_query(query); });
    }

    void end_started() {
        reader_.reset();
        QueryDesc* query = std::exchange(query_, nullptr);
        if (query != nullptr) guarded([=]() noexcept { end_query(query); });
    }

    HeldPlan* held_ = nullptr;
    SortedQuery* sorted_ = nullptr;  ///< what is executed, if there are columns to sort by
    TupleDesc descriptor_ = nullptr;
    Schema schema_{};
    GroupKeys keys_{};
    std::unique_ptr<BatchReceiver> receiver_{};
    QueryDesc* query_ = nullptr;
    std::unique_ptr<HeapReader> reader_{};
    Spool spool_{};
    bool is_started_ = false;
    bool is_at_end_ = false;
};

/// The keys of an ORDER BY clause and its text, which references columns by position: a query may
/// have duplicate names.
struct Order {
    std::vector<SortKey> keys{};
    std::string text{};

    void add(int column, SortByDir direction, SortByNulls nulls) {
        const std::size_t before = text.size();
        if (!text.empty()) text += ", ";
        const std::size_t start = text.size();
        text += std::to_string(column + 1);
        if (direction == SORTBY_DESC) text += " DESC";
        if (nulls == SORTBY_NULLS_FIRST) text += " NULLS FIRST";
        if (nulls == SORTBY_NULLS_LAST) text += " NULLS LAST";
        for (SortKey& key : keys) key.from_end += text.size() - before;
        keys.push_back({column, direction, nulls, text.size() - start});
    }
};

SortByNulls nulls_of(const OrderColumn& order) {
    if (order.nulls == OrderColumn::Nulls::kFirst) return SORTBY_NULLS_FIRST;
    return order.nulls == OrderColumn::Nulls::kLast ? SORTBY_NULLS_LAST : SORTBY_NULLS_DEFAULT;
}

Representation representation_of(const Request& request) noexcept {
    return {.use_decimal = request.controls.use_decimal,
            .use_month_day_nano = request.controls.use_month_day_nano};
}

/// Sorts in SQL, so that PostgreSQL can spill to disk.
std::unique_ptr<InputSource> open_grouped(const Request& request, const std::string& query) {
    auto source = std::make_unique<QuerySource>(query, representation_of(request), false);
    const Schema& schema = source->schema();
    std::vector<int> keys;
    Order order;
    for (const NamePart& name : request.group_columns) {
        keys.push_back(require_column(schema, name, "the input"));
        order.add(keys.back(), SORTBY_DEFAULT, SORTBY_NULLS_DEFAULT);
    }
    for (const OrderColumn& column : request.order_columns)
        order.add(require_column(schema, column.name, "the input"),
                  column.is_descending ? SORTBY_DESC : SORTBY_DEFAULT, nulls_of(column));
    source->sort_by(order.keys, "SELECT * FROM (\n" + source->statement() +
                                    "\n) AS input ORDER BY " + order.text);
    source->group_by(keys);
    return source;
}

std::string query_of(const Request& request) {
    const Input& input = request.input.value();
    if (!input.query.empty()) return input.query;
    return "SELECT * FROM " + find_relation(input.relation, "inp_nam", false).qualified_name;
}

/// A query that returns a row for each group of the source's rows.
std::string groups_of(const QuerySource& source, const std::vector<NamePart>& group_columns) {
    const Schema& schema = source.schema();
    std::string aliases;
    for (std::size_t i = 1; i <= schema.size(); ++i)
        aliases += (i == 1 ? "c" : ", c") + std::to_string(i);
    std::string keys;
    for (const NamePart& name : group_columns)
        keys += (keys.empty() ? "c" : ", c") +
                std::to_string(require_column(schema, name, "the input") + 1);
    return "SELECT 1 FROM (\n" + source.statement() + "\n) AS input(" + aliases + ") GROUP BY " +
           keys;
}

}  // namespace

double estimated_input(const Request& request) {
    QuerySource source(query_of(request), representation_of(request), false);
    if (request.group_columns.empty()) {
        const double rows = source.row_estimate();
        source.close();
        return rows;
    }
    QuerySource groups(groups_of(source, request.group_columns), {}, false);
    const double count = groups.row_estimate();
    groups.close();
    source.close();
    return count;
}

std::unique_ptr<InputSource> open_query_source(const Request& request, bool may_spool) {
    const std::string query = query_of(request);
    if (!request.group_columns.empty()) return open_grouped(request, query);
    return std::make_unique<QuerySource>(query, representation_of(request), may_spool);
}

bool reads_temporary_tables(const Request& request) {
    return QuerySource(query_of(request), representation_of(request), /* may_spool */ false)
        .reads_temporary_tables();
}

}  // namespace epe::pg
