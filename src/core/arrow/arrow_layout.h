// An array in Arrow's terms that owns its buffers: made from a column, or imported.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/batch/batch.h"

namespace epe {

/// All properties of a column that an ArrowSchema and an ArrowArray expose.
struct ArrowNode {
    std::string format{};
    std::string name{};
    std::int64_t length = 0;
    std::int64_t null_count = 0;
    std::int64_t offset = 0;   ///< rows of the buffers before the first of the array
    std::int64_t flags = 2;    ///< ARROW_FLAG_NULLABLE
    std::string metadata{};    ///< encoded as in the interface; empty for none
    bool has_validity = true;  ///< the first buffer is the validity, a null pointer when empty
    /// In Arrow's order, validity first; an empty one becomes a null pointer there.
    std::vector<Buffer> buffers{};
    std::vector<ArrowNode> children{};
    std::vector<ArrowNode> dictionary{};  ///< one or none
};

/// Moves the buffers out of a column. `name` is the name of the outermost column, for messages.
/// Throws as export_stream() does.
ArrowNode make_arrow_node(Column column, const std::string& name);

}  // namespace epe
