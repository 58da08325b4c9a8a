#include "engine/common/sandbox_policy.h"

#include <algorithm>

namespace epe::engine {

bool SandboxReport::is_complete() const noexcept {
    return !protections.empty() &&
           std::ranges::all_of(protections, [](const Protection& protection) {
               return protection.is_enforced || !protection.is_needed;
           });
}

std::string SandboxReport::missing() const {
    std::string text;
    for (const Protection& protection : protections) {
        if (protection.is_enforced || !protection.is_needed) continue;
        text += (text.empty() ? "" : ", ") + protection.name + " (" + protection.detail + ")";
    }
    return text;
}

}  // namespace epe::engine
