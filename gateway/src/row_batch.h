// Rows of a result that are written together.
#pragma once

#include <string>
#include <vector>

#include "table_writer.h"

namespace epe::gateway {

/// Copies of rows in one buffer: one libpq result per row would take 2 kB more each.
class RowBatch final : public TableRows {
   public:
    /// `row` is a result of one row, with the same number of columns as the others.
    void add(const QueryResult& row);
    void clear();
    std::size_t bytes() const { return bytes_.size(); }

    int rows() const override { return rows_; }
    bool is_null(int row, int column) const override { return cell(row, column).is_null; }
    std::string_view value(int row, int column) const override {
        const Cell& found = cell(row, column);
        return std::string_view(bytes_).substr(found.start, found.size);
    }

   private:
    struct Cell {
        std::size_t start = 0;
        std::size_t size = 0;
        bool is_null = false;
    };
    const Cell& cell(int row, int column) const {
        return cells_[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) +
                      static_cast<std::size_t>(column)];
    }

    int rows_ = 0;
    int columns_ = 0;
    std::string bytes_{};
    std::vector<Cell> cells_{};
};

}  // namespace epe::gateway
