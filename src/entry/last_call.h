// Statistics of the session's last call of an eval function.
#pragma once

#include "core/pipeline/call_stats.h"

namespace epe {

/// Stores what pyq_last_call() returns.
void remember_call(const CallStats& stats) noexcept;
/// Null before the first call.
const CallStats* last_call() noexcept;

}  // namespace epe
