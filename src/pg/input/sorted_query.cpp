// Sorts the rows of an analysed query, without a second analysis.
//
// The columns to sort by are found by name in the result of the analysis. To analyse a second
// statement with an ORDER BY clause would take the same time again, so the clause is added to the
// tree. Messages are those of a statement that is executed through SPI.
#include "pg/input/sorted_query_internal.h"

#include <cstring>

extern "C" {
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_clause.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "tcop/tcopprot.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/rls.h"
}

namespace epe::pg {

namespace {

/// As SPI does: the position of an error refers to the statement, which is not the client's.
void report_statement(void* argument) noexcept {
    const auto* text = static_cast<const char*>(argument);
    const int position = geterrposition();
    if (position > 0) {
        errposition(0);
        internalerrposition(position);
        internalerrquery(text);
    } else {
        errcontext("SQL statement \"%s\"", text);
    }
}

/// Adds report_statement() to the error context until pop().
struct StatementContext {
    ErrorContextCallback callback;

    void push(const char* text) noexcept {
        callback.previous = error_context_stack;
        callback.callback = report_statement;
        callback.arg = const_cast<char*>(text);
        error_context_stack = &callback;
    }
    void pop() const noexcept { error_context_stack = callback.previous; }
};

List* star_of(const Query* query, Index range) noexcept {
    List* targets = NIL;
    ListCell* cell = nullptr;
    foreach (cell, query->targetList) {
        auto* target = static_cast<TargetEntry*>(lfirst(cell));
        if (target->resjunk) continue;
        auto* variable = reinterpret_cast<Expr*>(makeVarFromTargetEntry(range, target));
        char* name = target->resname == nullptr ? nullptr : pstrdup(target->resname);
        targets = lappend(targets, makeTargetEntry(variable, target->resno, name, false));
    }
    return targets;
}

List* sort_clause(ParseState* state, List* targets, const SortKey* keys,
                  std::size_t count) noexcept {
    const std::size_t size = std::strlen(state->p_sourcetext);
    List* clause = NIL;
    for (std::size_t i = 0; i < count; ++i) {
        SortBy* item = makeNode(SortBy);
        item->sortby_dir = keys[i].direction;
        item->sortby_nulls = keys[i].nulls;
        item->location = static_cast<int>(size - keys[i].from_end);
        auto* target = static_cast<TargetEntry*>(list_nth(targets, keys[i].column));
        clause = addTargetToSortList(state, target, clause, targets, item);
    }
    return clause;
}

CachedPlanSource* source_of(SPIPlanPtr plan) noexcept {
    return static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)));
}

/// The conditions under which PostgreSQL uses an analysed query again. A script may have executed
/// SQL since, while it was loaded.
bool is_current(const CachedPlanSource* source) noexcept {
    if (!source->is_valid) return false;
    if (source->dependsOnRLS &&
        (source->rewriteRoleId != GetUserId() || source->rewriteRowSecurity != row_security))
        return false;
#if PG_VERSION_NUM >= 170000
    return SearchPathMatchesCurrentEnvironment(source->search_path);
#else
    return OverrideSearchPathMatchesCurrent(source->search_path);
#endif
}

bool are_same_rows(TupleDesc before, TupleDesc after) noexcept {
#if PG_VERSION_NUM >= 170000
    return equalRowTypes(before, after);
#else
    return equalTupleDescs(before, after);
#endif
}

/// Analyses and plans the text.
PlannedStmt* plan_again(const SortedQuery& sorted, TupleDesc expected) noexcept {
    SPIPlanPtr plan = SPI_prepare_cursor(sorted.text, 0, nullptr, 0);
    if (plan == nullptr)
        elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
    if (!are_same_rows(source_of(plan)->resultDesc, expected))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cached plan must not change result type")));
    CachedPlan* cached = SPI_plan_get_cached_plan(plan);
    if (cached == nullptr) elog(ERROR, "a prepared query has no plan");
    auto* planned = static_cast<PlannedStmt*>(copyObjectImpl(linitial(cached->stmt_list)));
    release_plan(cached, /* is_saved */ false);
    return planned;
}

}  // namespace

void release_plan(CachedPlan* plan, bool is_saved) noexcept {
    ReleaseCachedPlan(plan, is_saved ? CurrentResourceOwner : nullptr);
}

SortedQuery* sort_query(const Query* query, const char* text, const SortKey* keys,
                        std::size_t count) noexcept {
    StatementContext context;
    context.push(text);
    auto* inner = static_cast<Query*>(copyObjectImpl(query));
    ParseState* state = make_parsestate(nullptr);
    state->p_sourcetext = text;
    addRangeTableEntryForSubquery(state, inner, makeAlias("input", NIL), false, true);
    RangeTblRef* reference = makeNode(RangeTblRef);
    reference->rtindex = list_length(state->p_rtable);

    Query* outer = makeNode(Query);
    outer->commandType = CMD_SELECT;
    outer->canSetTag = true;
    outer->queryId = inner->queryId;
    outer->rtable = state->p_rtable;
    outer->jointree = makeFromExpr(list_make1(reference), nullptr);
    outer->targetList = star_of(inner, static_cast<Index>(reference->rtindex));
    outer->sortClause = sort_clause(state, outer->targetList, keys, count);
    free_parsestate(state);
    context.pop();

    auto* sorted = static_cast<SortedQuery*>(palloc(sizeof(SortedQuery)));
    *sorted = {outer, text};
    return sorted;
}

PlannedStmt* plan_sorted_query(const SortedQuery& sorted, SPIPlanPtr unsorted) noexcept {
    const CachedPlanSource* source = source_of(unsorted);
    if (!is_current(source)) return plan_again(sorted, source->resultDesc);
    StatementContext context;
    context.push(sorted.text);
#if PG_VERSION_NUM >= 190000
    PlannedStmt* plan = pg_plan_query(sorted.query, sorted.text, 0, nullptr, nullptr);
#else
    PlannedStmt* plan = pg_plan_query(sorted.query, sorted.text, 0, nullptr);
#endif
    context.pop();
    return plan;
}

}  // namespace epe::pg
