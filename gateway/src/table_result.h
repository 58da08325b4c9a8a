// The JSON result of a call as a table.
#pragma once

#include <unordered_map>

#include "json_text.h"
#include "run_request.h"
#include "table_writer.h"

namespace epe::gateway {

/// An array of objects is a row each, with the columns of all of them; any other array a row for
/// each item in a column "value"; an object is one row, anything else one row of a column "value".
/// null has no rows. Results by group are one below the other, with the group in a first column
/// "group". What is nested within a row is JSON text. Types are those that hold all of a column's
/// values: boolean, int64, double, else text.
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
    std::unordered_map<std::string, std::size_t> places_{};  ///< of columns, by name
    std::vector<bool> is_typed_{};                           ///< whether a column has had a value
    std::vector<Cells> cells_{};  ///< by column; shorter than rows_ where the rest is null
    int rows_ = 0;
};

}  // namespace epe::gateway
