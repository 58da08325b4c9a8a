#include "log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

#include <unistd.h>

namespace epe::gateway {

namespace {

void append_timestamp(std::string& line) {
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
    line.append(text.data(), length).append(fraction.data());
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

/// Appends the text to `line` as a JSON string.
void append_quoted(std::string& line, std::string_view text) {
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char each) {
        return each >= ' ' && each <= '~' && each != '"' && each != '\\';
    });
    if (is_plain)
        line.append("\"").append(text).append("\"");
    else
        line += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <typename Number>
void append_number(std::string& line, Number number) {
    std::array<char, 32> text{};
    line.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
}

}  // namespace

LogLine::LogLine(LogLevel level, std::string_view event) {
    constexpr std::size_t kUsualSize = 320;
    text_.reserve(kUsualSize);
    text_ += R"({"time":")";
    append_timestamp(text_);
    text_ += '"';
    add("level", level_name(level));
    add("event", event);
}

void LogLine::begin_member(std::string_view name) {
    text_.append(",\"").append(name).append("\":");
}

LogLine& LogLine::add(std::string_view name, std::string_view text) {
    begin_member(name);
    append_quoted(text_, text);
    return *this;
}

LogLine& LogLine::add(std::string_view name, int number) {
    begin_member(name);
    append_number(text_, number);
    return *this;
}

LogLine& LogLine::add(std::string_view name, double number) {
    begin_member(name);
    append_number(text_, number);
    return *this;
}

LogLine& LogLine::add_json(std::string_view name, const std::string& value) {
    begin_member(name);
    text_ += value;
    return *this;
}

void LogLine::write() {
    text_ += "}\n";
    // A single write, so that lines of different threads do not interleave; write errors are
    // ignored.
    const ssize_t written = ::write(STDERR_FILENO, text_.data(), text_.size());
    (void)written;
}

void log_event(LogLevel level, std::string_view event, const nlohmann::json& members) {
    LogLine line(level, event);
    for (const auto& [name, value] : members.items())
        line.add_json(name, value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    line.write();
}

}  // namespace epe::gateway
