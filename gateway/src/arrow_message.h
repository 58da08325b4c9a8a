// The metadata of an Arrow IPC stream: framed flatbuffers.
//
// A stream is a Schema message, RecordBatch messages and an end mark. A message is a mark, the
// length of its flatbuffer, the flatbuffer, and for a batch the buffers of its columns, all on
// multiples of eight bytes (Arrow columnar format, "Serialization and Interprocess Communication").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "table_writer.h"

namespace epe::gateway {

/// FieldNode of a column ...
struct ArrowNode {
    std::int64_t length = 0;
    std::int64_t null_count = 0;
};
/// ... and the position of each of its buffers in the body.
struct ArrowBuffer {
    std::int64_t offset = 0;
    std::int64_t length = 0;
};

std::string arrow_schema_message(const std::vector<TableColumn>& columns);

/// The frame of a batch; its body of `body_length` bytes, a multiple of eight, follows.
std::string arrow_batch_message(std::int64_t rows, const std::vector<ArrowNode>& nodes,
                                const std::vector<ArrowBuffer>& buffers, std::int64_t body_length);

std::string arrow_end_mark();

}  // namespace epe::gateway
