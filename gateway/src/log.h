// The log: one JSON object a line, on standard error.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace epe::gateway {

enum class LogLevel { kInfo, kWarning, kError };

/// One line in the making: {"time", "level", "event", ...members}. Never hand it a password, a
/// token or a body; what is not UTF-8 is replaced. It is written as text at once, since there is
/// one for each request.
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

/// Writes such a line. Safe from all threads.
void log_event(LogLevel level, std::string_view event, const nlohmann::json& members = {});

}  // namespace epe::gateway
