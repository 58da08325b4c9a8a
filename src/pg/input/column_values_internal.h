// The datums of one column of some rows.
#pragma once

extern "C" {
#include "postgres.h"
}

#include <cstddef>

namespace epe::pg {

/// Plain data; the arrays belong to the source of the rows. A value that is passed by reference
/// points into a page, which the source keeps pinned.
struct ColumnValues {
    const Datum* values = nullptr;
    const bool* nulls = nullptr;  ///< null when the column has no NULL

    bool is_null(std::size_t row) const noexcept { return nulls != nullptr && nulls[row]; }
    ColumnValues after(std::size_t rows) const noexcept {
        return {values + rows, nulls == nullptr ? nullptr : nulls + rows};
    }
};

}  // namespace epe::pg
