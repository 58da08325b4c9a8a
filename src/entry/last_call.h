// What the session's last call of an eval function took.
#pragma once

#include "core/pipeline/call_stats.h"

namespace epe {

/// Keeps what pyq_last_call() shows.
void remember_call(const CallStats& stats) noexcept;

}  // namespace epe
