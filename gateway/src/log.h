// The log: one JSON object per line, on standard error.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace epe::gateway {

enum class LogLevel { kInfo, kWarning, kError };

/// A log line under construction: {"time", "level", "event", ...members}. Must never contain a
/// password, a token or a body; invalid UTF-8 is replaced. Serialized directly to text, because
/// each request writes one line.
class LogLine {
   public:
    LogLine(LogLevel level, std::string_view event);
    LogLine& add(std::string_view name, std::string_view text);
    LogLine& add(std::string_view name, int number);
    LogLine& add(std::string_view name, double number);
    LogLine& add_json(std::string_view name, const std::string& value);
    void write();

   private:
    void begin_member(std::string_view name);

    std::string text_;
};

/// Writes the line. Thread-safe.
void log_event(LogLevel level, std::string_view event, const nlohmann::json& members = {});

}  // namespace epe::gateway
