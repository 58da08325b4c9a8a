// Formats the location of a failure: the script, and the chunk, group or index.
#pragma once

#include <string>

#include "core/pipeline/ports.h"

namespace epe {

/// The first line of an error's context; without a call, only the script.
std::string place_of(const CallPlan& plan, const Call* call);

}  // namespace epe
