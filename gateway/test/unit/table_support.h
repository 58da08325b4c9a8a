// A table of texts for tests of writers.
#pragma once

#include <vector>

#include "table_writer.h"

namespace epe::gateway {

class TextRows final : public TableRows {
   public:
    explicit TextRows(std::vector<std::vector<Parameter>> rows) : rows_(std::move(rows)) {}
    int rows() const override { return static_cast<int>(rows_.size()); }
    bool is_null(int row, int column) const override { return !at(row, column); }
    std::string_view value(int row, int column) const override { return *at(row, column); }

   private:
    const Parameter& at(int row, int column) const {
        return rows_[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
    }
    std::vector<std::vector<Parameter>> rows_;
};

/// All values of a table, row by row, for comparisons.
inline std::vector<std::vector<Parameter>> cells_of(const TableRows& rows, int columns) {
    std::vector<std::vector<Parameter>> cells;
    for (int row = 0; row < rows.rows(); ++row) {
        cells.emplace_back();
        for (int column = 0; column < columns; ++column)
            cells.back().push_back(rows.is_null(row, column)
                                       ? Parameter()
                                       : Parameter(std::string(rows.value(row, column))));
    }
    return cells;
}

}  // namespace epe::gateway
