// Validates a batch that an engine sent.
#pragma once

#include "core/batch/batch.h"

namespace epe::engine {

/// Checks all invariants of core/batch/batch.h, so that every reader may rely on them: columns of
/// the batch's length, buffers large enough, offsets, codes, shapes and unusual rows in range,
/// correct NULL counts, texts of valid UTF-8. Readers must reject values out of range themselves
/// (any float, dates and times that PostgreSQL does not know), except time zones, which are less
/// than a day. Booleans are normalised to 0 or 1: numpy's may be other bytes. Matrices are refused.
/// Throws ProtocolError.
void check_batch(Batch& batch);

}  // namespace epe::engine
