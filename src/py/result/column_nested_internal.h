// Columns of lists and composites.
#pragma once

#include "py/result/column_target_internal.h"

namespace epe::py {

Column column_of_lists(const Objects& values, const Target& target);
Column column_of_structs(const Objects& values, const Target& target);

}  // namespace epe::py
