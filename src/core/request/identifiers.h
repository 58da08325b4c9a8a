// Names as users write them in SQL arguments: splitting, quoting, matching with columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch/column_type.h"

namespace epe {

/// One name. A quoted one must match exactly; any other is tried as written, then folded.
struct NamePart {
    std::string text{};  ///< without quotes
    bool was_quoted = false;
};

/// One entry of ORD_COL.
struct OrderColumn {
    enum class Nulls : std::uint8_t { kDefault, kFirst, kLast };
    NamePart name{};
    bool is_descending = false;
    Nulls nulls = Nulls::kDefault;
};

/// Splits `name`, `schema.name` or `database.schema.name`. A part without quotes may contain
/// anything except dots and quotes. Throws Error 22023 naming the SQL argument.
std::vector<NamePart> split_qualified_name(std::string_view text, const char* argument);
/// Splits a comma-separated list of column names (GRP_COL). Throws Error 22023.
std::vector<NamePart> split_column_list(std::string_view text, const char* argument);
/// The same with ASC, DESC, NULLS FIRST and NULLS LAST after a name (ORD_COL). Throws Error 22023.
std::vector<OrderColumn> split_order_list(std::string_view text, const char* argument);

/// Always in double quotes, so that the result means this name wherever SQL takes one.
std::string quote_identifier(std::string_view name);
/// Lower-case as PostgreSQL folds names without quotes: ASCII letters only.
std::string fold_case(std::string_view name);
bool equals_ignoring_case(std::string_view left, std::string_view right) noexcept;
/// Without surrounding white space, as SQL counts it.
std::string_view trim(std::string_view text) noexcept;
/// Truncates to about that many bytes of whole characters and appends "..."; for messages.
std::string shorten(std::string_view text, std::size_t most_bytes = 100);

/// Result of find_column().
struct ColumnMatch {
    int index = -1;                         ///< -1: none, or more than one
    bool is_ambiguous = false;              ///< more than one
    std::vector<std::string> candidates{};  ///< with index -1: names that differ at most in case
};

/// Exact match, else (unless the name was quoted) a unique match ignoring the case of ASCII
/// letters.
ColumnMatch find_column(const Schema& schema, const NamePart& name);
ColumnMatch find_column(const Schema& schema, std::string_view name);
/// The index of a column that must exist. `place` names the location, as in "the input". Throws
/// Error 42703 listing the columns, 42702 listing the matching ones.
int require_column(const Schema& schema, const NamePart& name, std::string_view place);

/// True when INP_NAM is a query: SELECT, WITH, VALUES or TABLE followed by something, after
/// comments and parentheses. Such a word alone, or followed by a dot, is a name.
bool looks_like_query(std::string_view text) noexcept;

}  // namespace epe
