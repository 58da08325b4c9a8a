// Binary parameters of SQL statements, sent from an engine to its backend as one row of a batch, so
// that large ones go through an arena.
#pragma once

#include <vector>

#include "core/batch/batch.h"
#include "core/pipeline/ports.h"

namespace epe::engine {

bool has_bytes(const std::vector<HostParameter>& parameters) noexcept;

/// One column per parameter with bytes, which borrow the parameters' memory: the batch must be
/// destroyed first. Throws Error 54000 for too many parameters.
Batch batch_of_bytes(const std::vector<HostParameter>& parameters);

/// Points the parameters at the bytes of `batch`, which must stay. The batch is the engine's, and
/// is checked only to be a valid batch: throws ProtocolError unless it fits the parameters.
void set_bytes(std::vector<HostParameter>& parameters, const Batch& batch);

}  // namespace epe::engine
