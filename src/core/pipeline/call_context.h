// Formats the location of a failure: the script, and the chunk, group or index.
#pragma once

#include <string>

#include "core/error.h"
#include "core/pipeline/ports.h"

namespace epe {

/// The first line of an error's context; without a call, only the script.
std::string place_of(const CallPlan& plan, const Call* call);
/// Adds a line to an error's context.
void add_context(ErrorReport& report, const std::string& line);

}  // namespace epe
