// Checks the values of imported arrays.
#pragma once

#include <string>

#include "core/arrow/arrow_layout.h"

namespace epe {

/// Checks what the buffers of an array hold, and makes indices and views under NULLs 0. The buffers
/// are large enough for the array's length, and its children and dictionary have been checked.
/// `column` is its name, for messages.
void check_arrow_values(ArrowNode& node, const std::string& column);

}  // namespace epe
