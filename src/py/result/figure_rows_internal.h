// Results as rows of figures: OUT_FMT 'PNG'.
#pragma once

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// One row for each figure that the script has drawn. A call without figures has one row if
/// `always_gives_row`, otherwise none. `columns` outlives the batch.
Batch figure_rows(const Ref& result, const Call& call, const Schema& columns,
                  bool always_gives_row);

}  // namespace epe::py
