#include "row_batch.h"

namespace epe::gateway {

void RowBatch::add(const QueryResult& row) {
    columns_ = row.columns();
    ++rows_;
    for (int column = 0; column < columns_; ++column) {
        const std::string_view value = row.value(0, column);
        cells_.push_back({bytes_.size(), value.size(), row.is_null(0, column)});
        bytes_ += value;
    }
}

void RowBatch::clear() {
    rows_ = 0;
    bytes_.clear();
    cells_.clear();
}

}  // namespace epe::gateway
