// Streams of the Arrow C Data Interface that another library made: copied and checked.
#pragma once

#include <string>
#include <vector>

#include "core/arrow/arrow.h"
#include "core/arrow/arrow_layout.h"
#include "core/batch/foreign_memory.h"

namespace epe {

/// The arrays of a stream.
struct ArrowTable {
    ArrowNode type{};  ///< formats and names; no values
    std::vector<ArrowNode> chunks{};
};

inline constexpr std::int64_t kMostArrowRows = std::int64_t{1} << 40;
inline constexpr std::int64_t kMostArrowChildren = 3328;
inline constexpr int kDeepestArrow = 32;

/// Reads a stream to its end and releases it. All data is copied first and checked afterwards, so
/// that readers of the table can rely on it: known formats, correct counts of buffers and children,
/// ascending offsets within their bytes, indices, type codes, run ends and views in range, correct
/// NULL counts, text in UTF-8, at most kDeepestArrow levels.
///
/// The interface does not convey the sizes of buffers; a buffer too small for the array's length is
/// detected only where its memory cannot be read. Function pointers are called unchecked.
///
/// Throws Error 22023 for malformed data, 38000 when the stream itself reports a failure.
ArrowTable import_stream(ArrowArrayStream& stream, ForeignMemory& memory);

/// Throws Error 22023; `what` names the part.
[[noreturn]] void fail_arrow(const std::string& column, const std::string& what);

}  // namespace epe
