// Whether a batch that an engine sent is one that the rest of the house may read.
#pragma once

#include "core/batch/batch.h"

namespace epe::engine {

/// Checks that a batch keeps all promises of core/batch/batch.h, so that every reader may rely on
/// them: columns of the batch's length, buffers large enough, offsets, codes, shapes and unusual
/// rows in range, NULLs counted rightly, texts of clean UTF-8. What may stand in a value (any
/// float, dates and times that PostgreSQL does not know) is the readers' to refuse, but for time
/// zones, which lie within a day. Booleans are made 0 or 1: numpy's may be other bytes. Matrices
/// are refused. Throws ProtocolError.
void check_batch(Batch& batch);

}  // namespace epe::engine
