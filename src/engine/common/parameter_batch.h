// Binary parameters of SQL on their way from an engine to its backend: as one row of a batch, so
// that large ones go through an arena.
#pragma once

#include <vector>

#include "core/batch/batch.h"
#include "core/pipeline/ports.h"

namespace epe::engine {

bool has_bytes(const std::vector<HostParameter>& parameters) noexcept;

/// A column for each parameter with bytes, which borrow them: the batch must go first. Throws Error
/// 54000 when they are too many.
Batch batch_of_bytes(const std::vector<HostParameter>& parameters);

/// Gives the parameters the bytes of `batch`, which must stay. The batch is the engine's, checked
/// to be a batch and no more: throws ProtocolError unless it is the one that they need.
void set_bytes(std::vector<HostParameter>& parameters, const Batch& batch);

}  // namespace epe::engine
