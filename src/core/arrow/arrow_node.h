// An array in Arrow's terms that owns its buffers: made from a column, or from another library's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/batch/batch.h"

namespace epe {

/// Everything that an ArrowSchema and an ArrowArray show of a column.
struct ArrowNode {
    std::string format{};
    std::string name{};
    std::int64_t length = 0;
    std::int64_t null_count = 0;
    std::int64_t offset = 0;   ///< rows of the buffers before the first of the array
    std::int64_t flags = 2;    ///< ARROW_FLAG_NULLABLE
    std::string metadata{};    ///< as the interface has it; empty for none
    bool has_validity = true;  ///< the first buffer is one, which is a null pointer when empty
    /// As Arrow orders them, validity first; an empty one becomes a null pointer there.
    std::vector<Buffer> buffers{};
    std::vector<ArrowNode> children{};
    std::vector<ArrowNode> dictionary{};  ///< one or none
};

/// Takes the buffers of a column. `name` is the column's, in messages that of the outermost one.
/// Throws as export_stream() does.
ArrowNode make_arrow_node(Column column, const std::string& name);

}  // namespace epe
