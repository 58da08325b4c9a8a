#include "table_result.h"

#include <algorithm>
#include <limits>

#include "api_error.h"

namespace epe::gateway {
namespace {

/// Maximum rows times columns: a table of records with few common keys is large and nearly empty.
constexpr std::size_t kMostCells = 1'000'000;

ColumnKind kind_of(const Json& value) {
    if (value.is_boolean()) return ColumnKind::kBool;
    if (value.is_number_float()) return ColumnKind::kFloat64;
    if (!value.is_number_integer()) return ColumnKind::kUtf8;
    const bool fits = !value.is_number_unsigned() ||
                      value.get<std::uint64_t>() <=
                          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return fits ? ColumnKind::kInt64 : ColumnKind::kUtf8;
}

ColumnKind common_kind(ColumnKind one, ColumnKind other) {
    if (one == other) return one;
    const auto is_number = [](ColumnKind kind) {
        return kind == ColumnKind::kInt64 || kind == ColumnKind::kFloat64;
    };
    return is_number(one) && is_number(other) ? ColumnKind::kFloat64 : ColumnKind::kUtf8;
}

bool holds_objects(const Json& array) {
    return !array.empty() && std::all_of(array.begin(), array.end(),
                                         [](const Json& item) { return item.is_object(); });
}

}  // namespace

TableResult::TableResult(const Json& result, RunKind kind) {
    if (kind == RunKind::kGroup && result.is_object()) {
        add_value("group", Json());
        for (const auto& [group, of_group] : result.items()) add_result(of_group, &group);
    } else {
        add_result(result, nullptr);
    }
    if (columns_.empty()) add_value("value", Json());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (columns_[i].kind != ColumnKind::kBool) continue;
        for (Parameter& cell : cells_[i])
            if (cell) cell->resize(1);  // "t" and "f", as PostgreSQL writes them
    }
}

void TableResult::add_result(const Json& result, const std::string* group) {
    if (result.is_null()) return;
    if (!result.is_array()) {
        add_row(result, group);
        return;
    }
    const bool are_records = holds_objects(result);
    for (const Json& item : result) {
        if (are_records) {
            add_row(item, group);
            continue;
        }
        Json row = Json::object();
        row["value"] = item;
        add_row(row, group);
    }
}

void TableResult::add_row(const Json& row, const std::string* group) {
    if (group != nullptr) add_value("group", Json(*group));
    if (row.is_object()) {
        for (const auto& [name, value] : row.items())
            if (group == nullptr || name != "group") add_value(name, value);
    } else {
        add_value("value", row);
    }
    ++rows_;
    if (columns_.size() * static_cast<std::size_t>(rows_) > kMostCells)
        throw ApiError(400, "the result is too large for a table without \"outputFormat\"");
}

void TableResult::add_value(const std::string& name, const Json& value) {
    const auto found = places_.find(name);
    const std::size_t index = found == places_.end() ? columns_.size() : found->second;
    if (found == places_.end()) {
        if ((columns_.size() + 1) * static_cast<std::size_t>(rows_ + 1) > kMostCells)
            throw ApiError(400, "the result is too large for a table without \"outputFormat\"");
        columns_.push_back({name});
        places_.emplace(name, index);
        is_typed_.push_back(false);
        cells_.emplace_back();
    }
    if (value.is_null()) return;
    TableColumn& column = columns_[index];
    column.kind = is_typed_[index] ? common_kind(column.kind, kind_of(value)) : kind_of(value);
    is_typed_[index] = true;
    cells_[index].resize(static_cast<std::size_t>(rows_));
    cells_[index].emplace_back(value.is_string() ? value.get<std::string>() : to_text(value));
}

const Parameter& TableResult::cell(int row, int column) const {
    static const Parameter kNull{};
    const Cells& cells = cells_[static_cast<std::size_t>(column)];
    const auto index = static_cast<std::size_t>(row);
    return index < cells.size() ? cells[index] : kNull;
}

}  // namespace epe::gateway
