// Columns of texts.
#pragma once

#include "py/result/column_target_internal.h"

namespace epe::py {

Column column_of_texts(const Objects& values, const Target& target);
Column column_of_hstores(const Objects& values, const Target& target);
Column column_of_json(const Objects& values, const Target& target);

}  // namespace epe::py
