#include "log.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include <unistd.h>

namespace epe::gateway {

namespace {

std::string timestamp() {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() %
        1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%FT%T", &parts);
    std::array<char, 8> fraction{};
    (void)std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(milliseconds));
    return std::string(text.data(), length) + fraction.data();
}

const char* level_name(LogLevel level) {
    switch (level) {
        case LogLevel::kInfo:
            return "info";
        case LogLevel::kWarning:
            return "warning";
        case LogLevel::kError:
            return "error";
    }
    return "";
}

}  // namespace

void log_event(LogLevel level, std::string_view event, nlohmann::json members) {
    nlohmann::ordered_json line{
        {"time", timestamp()}, {"level", level_name(level)}, {"event", event}};
    for (auto& [name, value] : members.items()) line[name] = value;
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    // One write, so that lines of threads do not mix; a log that cannot be written stops nobody.
    const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    (void)written;
}

}  // namespace epe::gateway
