// A Batch: some rows as columns.
#include "core/batch.h"

namespace epe {

Column null_column(std::int64_t length) {
    Column column;
    column.type.kind = Kind::kNull;
    column.length = length;
    column.null_count = length;
    return column;
}

}  // namespace epe
