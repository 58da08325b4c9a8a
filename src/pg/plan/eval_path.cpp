// Replaces the Function Scan of an eval function by a plan node that returns rows as they come.
#include "pg/plan/eval_path.h"

#include <span>

#include "pg/backend/settings.h"
#include "pg/plan/eval_path_internal.h"
#include "pg/plan/eval_scan_internal.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "utils/syscache.h"
}

namespace epe::pg {

namespace {

std::span<const PlannedFunction> planned_functions;
set_rel_pathlist_hook_type previous_hook = nullptr;

bool is_in_c(Oid function) noexcept {
    HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(row)) return false;
    const bool result = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row))->prolang == ClanguageId;
    ReleaseSysCache(row);
    return result;
}

/// The variable for the whole row of the relation, if the node or those above it use it.
Var* find_whole_row(RelOptInfo* rel, List* conditions) noexcept {
    List* used = list_concat_copy(rel->reltarget->exprs, conditions);
    constexpr int kFlags =
        PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS;
    ListCell* cell = nullptr;
    foreach (cell, pull_var_clause(reinterpret_cast<Node*>(used), kFlags)) {
        Var* variable = static_cast<Var*>(lfirst(cell));
        if (static_cast<Index>(variable->varno) == rel->relid && variable->varattno == 0)
            return variable;
    }
    return nullptr;
}

/// The columns of the function, dropped ones as NULL constants, and the whole row if it is used.
List* scan_columns(RangeTblEntry* entry, Index relation, const Var* whole_row) noexcept {
    List* columns = NIL;
    List* names = NIL;
#if PG_VERSION_NUM >= 180000
    expandRTE(entry, static_cast<int>(relation), 0, VAR_RETURNING_DEFAULT, -1, true, &names,
              &columns);
#else
    expandRTE(entry, static_cast<int>(relation), 0, -1, true, &names, &columns);
#endif
    List* result = NIL;
    ListCell* column = nullptr;
    ListCell* name = nullptr;
    forboth(column, columns, name, names) {
        TargetEntry* target = makeTargetEntry(static_cast<Expr*>(lfirst(column)),
                                              static_cast<AttrNumber>(list_length(result) + 1),
                                              strVal(lfirst(name)), false);
        result = lappend(result, target);
    }
    if (whole_row == nullptr) return result;
    auto* copy = static_cast<Expr*>(copyObjectImpl(whole_row));
    return lappend(result, makeTargetEntry(copy, static_cast<AttrNumber>(list_length(result) + 1),
                                           pstrdup("whole row"), false));
}

Plan* make_plan(PlannerInfo* root, RelOptInfo* rel, CustomPath* path, List* targets, List* clauses,
                List* custom_plans) {
    RangeTblEntry* entry = planner_rt_fetch(rel->relid, root);
    auto* function = static_cast<RangeTblFunction*>(linitial(entry->functions));
    CustomScan* scan = makeNode(CustomScan);
    scan->scan.plan.targetlist = targets;
    scan->scan.plan.qual = extract_actual_clauses(clauses, false);
    scan->flags = path->flags;
    scan->custom_plans = custom_plans;
    scan->custom_scan_tlist =
        scan_columns(entry, rel->relid, find_whole_row(rel, scan->scan.plan.qual));
    scan->custom_exprs = list_make1(function->funcexpr);
    scan->custom_private = list_make4(function->funccolnames, function->funccoltypes,
                                      function->funccoltypmods, function->funccolcollations);
    scan->methods = scan_methods();
    return &scan->scan.plan;
}

const CustomPathMethods kPathMethods{kNodeName, make_plan, nullptr};

/// The function that the relation calls, if a plan node can run it.
const PlannedFunction* called_function(const RangeTblEntry* entry) noexcept {
    if (entry->rtekind != RTE_FUNCTION || entry->funcordinality) return nullptr;
    if (list_length(entry->functions) != 1) return nullptr;
    Node* expression = static_cast<RangeTblFunction*>(linitial(entry->functions))->funcexpr;
    if (expression == nullptr || !IsA(expression, FuncExpr)) return nullptr;
    return find_planned_function(reinterpret_cast<FuncExpr*>(expression)->funcid);
}

/// The costs are those of the Function Scan, except that the rows need not be awaited.
void replace_path(PlannerInfo* root, RelOptInfo* rel, Index relation, RangeTblEntry* entry) {
    if (previous_hook != nullptr) previous_hook(root, rel, relation, entry);
    // The rows of a dummy relation are known to be none.
    if (!plan_nodes() || IS_DUMMY_REL(rel) || called_function(entry) == nullptr) return;
    const auto* replaced = static_cast<Path*>(linitial(rel->pathlist));
    CustomPath* path = makeNode(CustomPath);
    path->path.pathtype = T_CustomScan;
    path->path.parent = rel;
    path->path.pathtarget = rel->reltarget;
    path->path.param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
    path->path.rows = rel->rows;
    path->path.startup_cost = rel->baserestrictcost.startup;
    path->path.total_cost = replaced->total_cost;
#ifdef CUSTOMPATH_SUPPORT_PROJECTION
    path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
#endif
    path->methods = &kPathMethods;
    rel->pathlist = NIL;
    add_path(rel, &path->path);
}

}  // namespace

const PlannedFunction* find_planned_function(Oid function) noexcept {
    if (!is_in_c(function)) return nullptr;
    FmgrInfo info;
    fmgr_info(function, &info);
    for (const PlannedFunction& each : planned_functions)
        if (reinterpret_cast<PGFunction>(each.function) == info.fn_addr) return &each;
    return nullptr;
}

void install_plan_nodes(const PlannedFunction* functions, std::size_t count) noexcept {
    planned_functions = {functions, count};
    RegisterCustomScanMethods(scan_methods());
    previous_hook = set_rel_pathlist_hook;
    set_rel_pathlist_hook = replace_path;
}

}  // namespace epe::pg
