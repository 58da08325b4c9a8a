// Tests of log lines.
#include "log.h"

#include <gtest/gtest.h>

#include <string>

namespace epe::gateway {
namespace {

nlohmann::json written(LogLine& line) {
    testing::internal::CaptureStderr();
    line.write();
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
    return nlohmann::json::parse(text);
}

TEST(LogLine, IsJson) {
    LogLine line(LogLevel::kWarning, "request");
    line.add("path", "/a").add("status", 404).add("milliseconds", 0.125).add_json("list", "[1]");
    nlohmann::json found = written(line);
    EXPECT_EQ(found["time"].get<std::string>().size(),
              std::string("2026-01-26T20:35:22.123Z").size());
    found.erase("time");
    EXPECT_EQ(found, nlohmann::json::parse(
                         R"({"level": "warning", "event": "request", "path": "/a", "status": 404,
                             "milliseconds": 0.125, "list": [1]})"));
}

TEST(LogLine, HoldsAnyText) {
    const std::string odd = std::string("\"\\\n\t\x01\x7f ", 7) + '\0' + "\u00e9";
    LogLine line(LogLevel::kInfo, "odd");
    line.add("text", odd).add("broken", "a\xff\xc3");
    const nlohmann::json found = written(line);
    EXPECT_EQ(found["text"], odd);
    EXPECT_EQ(found["broken"], "a\ufffd\ufffd");
}

TEST(LogEvent, TakesMembers) {
    testing::internal::CaptureStderr();
    log_event(LogLevel::kError, "failed", {{"message", "\"x\""}, {"port", 1}});
    const auto found = nlohmann::json::parse(testing::internal::GetCapturedStderr());
    EXPECT_EQ(found["message"], "\"x\"");
    EXPECT_EQ(found["port"], 1);
}

}  // namespace
}  // namespace epe::gateway
