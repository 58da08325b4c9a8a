// Whether a plan node may have to return the same rows again.
//
// The executor rescans the inner side of a nested loop for each outer row, a subplan for each row
// of the query around it, and the recursive term of WITH RECURSIVE in each iteration. Every other
// node rescans its children only when it is rescanned itself. A nested loop that passes new values
// to the node's arguments never asks for the same rows.
#include "pg/plan/rescans_internal.h"

#include <cstdint>

extern "C" {
#include "executor/executor.h"
#include "nodes/plannodes.h"
}

namespace epe::pg {

namespace {

enum class Rescans : std::uint8_t { kNotFound, kNever, kPossible };

struct Search {
    const Plan* wanted;
    const Bitmapset* parameters;

    bool gets_new_values(const NestLoop& loop) const noexcept {
        ListCell* cell = nullptr;
        foreach (cell, loop.nestParams) {
            if (bms_is_member(static_cast<NestLoopParam*>(lfirst(cell))->paramno, parameters))
                return true;
        }
        return false;
    }

    /// The answer for a node of this tree. `is_rescanned`: the root of the tree may be rescanned
    /// without new values.
    Rescans in_tree(const Plan* tree, bool is_rescanned) const noexcept {
        if (tree == nullptr) return Rescans::kNotFound;
        if (tree == wanted) return is_rescanned ? Rescans::kPossible : Rescans::kNever;
        // Above the wanted node, it returns its rows again itself.
        const bool repeats = IsA(tree, Material) && tree->lefttree == wanted;
        Rescans found = in_tree(tree->lefttree, is_rescanned && !repeats);
        if (found != Rescans::kNotFound) return found;
        found = in_tree(tree->righttree, is_rescanned || rescans_inner(tree));
        if (found != Rescans::kNotFound) return found;
        switch (nodeTag(tree)) {
            case T_Append:
                return in_list(reinterpret_cast<const Append*>(tree)->appendplans, is_rescanned);
            case T_MergeAppend:
                return in_list(reinterpret_cast<const MergeAppend*>(tree)->mergeplans,
                               is_rescanned);
            case T_SubqueryScan:
                return in_tree(reinterpret_cast<const SubqueryScan*>(tree)->subplan, is_rescanned);
            case T_CustomScan:
                return in_list(reinterpret_cast<const CustomScan*>(tree)->custom_plans, true);
            default:
                return Rescans::kNotFound;
        }
    }

    Rescans in_list(const List* trees, bool is_rescanned) const noexcept {
        ListCell* cell = nullptr;
        foreach (cell, trees) {
            const Rescans found = in_tree(static_cast<const Plan*>(lfirst(cell)), is_rescanned);
            if (found != Rescans::kNotFound) return found;
        }
        return Rescans::kNotFound;
    }

    bool rescans_inner(const Plan* tree) const noexcept {
        if (IsA(tree, NestLoop)) return !gets_new_values(*reinterpret_cast<const NestLoop*>(tree));
        return IsA(tree, RecursiveUnion);
    }
};

}  // namespace

bool may_repeat_rows(const PlanState& node, const Bitmapset* parameters, int eflags) noexcept {
    if ((eflags & EXEC_FLAG_REWIND) != 0 || node.state->es_epq_active != nullptr) return true;
    const Search search{node.plan, parameters};
    // Not found: in a subplan.
    return search.in_tree(node.state->es_plannedstmt->planTree, false) != Rescans::kNever;
}

}  // namespace epe::pg
