// Columns from Python numbers, UUIDs and bytes.
#pragma once

#include "py/result/column_target_internal.h"

namespace epe::py {

Column column_of_numbers(const Objects& values, unsigned classes, const Target& target);
Column column_of_uuids(const Objects& values, const Target& target);
Column column_of_bytes(const Objects& values, const Target& target);

}  // namespace epe::py
