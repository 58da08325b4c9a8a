// Statistics of the session's last call of an eval function.
#include "entry/last_call.h"

namespace epe {

namespace {

CallStats last_stats;
bool has_stats = false;

}  // namespace

void remember_call(const CallStats& stats) noexcept {
    last_stats = stats;
    has_stats = true;
}

const CallStats* last_call() noexcept { return has_stats ? &last_stats : nullptr; }

}  // namespace epe
