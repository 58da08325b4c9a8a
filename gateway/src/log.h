// The log: one JSON object a line, on standard error.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace epe::gateway {

enum class LogLevel { kInfo, kWarning, kError };

/// Writes {"time", "level", "event", ...members}. Never hand it a password, a token or a body; what
/// is not UTF-8 is replaced. Safe from all threads.
void log_event(LogLevel level, std::string_view event, nlohmann::json members = {});

}  // namespace epe::gateway
