// The JSON result of a call as a table.
#pragma once

#include <unordered_map>

#include "json_text.h"
#include "run_request.h"
#include "table_writer.h"

namespace epe::gateway {

/// An array of objects has one row per object, with the union of their keys as columns. Any other
/// array has one row per item, in a column "value". An object is one row, and any other value is
/// one row with a column "value". null has no rows. Results by group are concatenated, with the
/// group in a first column "group". Nested values are JSON text. A column's type is the first that
/// holds all of its values: boolean, int64, double, otherwise text.
class TableResult final : public TableRows {
   public:
    TableResult(const Json& result, RunKind kind);

    const std::vector<TableColumn>& columns() const { return columns_; }
    int rows() const override { return rows_; }
    bool is_null(int row, int column) const override { return !cell(row, column); }
    std::string_view value(int row, int column) const override { return *cell(row, column); }

   private:
    using Cells = std::vector<Parameter>;

    void add_result(const Json& result, const std::string* group);
    void add_row(const Json& row, const std::string* group);
    void add_value(const std::string& name, const Json& value);
    const Parameter& cell(int row, int column) const;

    std::vector<TableColumn> columns_{};
    std::unordered_map<std::string, std::size_t> places_{};  ///< column index by name
    std::vector<bool> is_typed_{};                           ///< whether the column has had a value
    std::vector<Cells> cells_{};  ///< by column; missing cells at the end are null
    int rows_ = 0;
};

}  // namespace epe::gateway
