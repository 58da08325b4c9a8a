// Tests of the body of run requests.
#include <gtest/gtest.h>

#include "api_error.h"
#include "run_request.h"

namespace epe::gateway {
namespace {

RunRequest read(const std::string& body, RunKind kind = RunKind::kEval,
                ApiVersion version = ApiVersion::kV2) {
    return parse_run_body(body, kind, version);
}

std::string refusal(const std::string& body, RunKind kind = RunKind::kEval) {
    try {
        read(body, kind);
    } catch (const ApiError& error) {
        EXPECT_EQ(error.status(), 400);
        return error.what();
    }
    return "accepted";
}

TEST(RunRequest, TakesAnEmptyBody) {
    EXPECT_EQ(read("").par_lst(std::nullopt), "{}");
    EXPECT_EQ(read(" {} ").par_lst(std::nullopt), "{}");
    EXPECT_FALSE(read("{}").is_async);
}

TEST(RunRequest, KeepsTheNumbersOfParameters) {
    const RunRequest request = read(
        R"({"parameters":"{\"x\": 123456789012345678901234567890, \"y\": 1.0 }","service":"high"})");
    EXPECT_EQ(request.par_lst(3),
              R"({"x":123456789012345678901234567890,"y":1.0,"oml_service_level":"HIGH",)"
              R"("oml_parallel":3,"oml_async_flag":false,"oml_graphics_flag":false})");
}

TEST(RunRequest, TakesParametersAsAnObject) {
    const std::string flags = R"("oml_async_flag":false,"oml_graphics_flag":false})";
    EXPECT_EQ(read(R"({"parameters":{"b":1,"a":[2]}})").par_lst(std::nullopt),
              R"({"b":1,"a":[2],)" + flags);
    for (const char* empty :
         {R"({"parameters":""})", R"({"parameters":" \n{ }"})", R"({"parameters":{}})"})
        EXPECT_EQ(read(empty).par_lst(std::nullopt), "{" + flags);
}

TEST(RunRequest, KeepsBracesInParameters) {
    EXPECT_EQ(read(R"({"parameters":"{\"a\": {}, \"b\": \"}\"} "})").par_lst(std::nullopt),
              R"({"a":{},"b":"}","oml_async_flag":false,"oml_graphics_flag":false})");
}

TEST(RunRequest, IgnoresUnknownKeysAndNull) {
    const RunRequest request = read(R"({"parameter":"{}","foo":1,"rows":"x","timeout":null})");
    EXPECT_FALSE(request.rows);
    EXPECT_FALSE(request.timeout);
}

TEST(RunRequest, RequiresWhatTheKindNeeds) {
    EXPECT_EQ(refusal("{}", RunKind::kTable), "field \"input\" is required");
    EXPECT_EQ(refusal(R"({"input":"t"})", RunKind::kRow), "field \"rows\" is required");
    EXPECT_EQ(refusal(R"({"input":"t","groupBy":null})", RunKind::kGroup),
              "field \"groupBy\" is required");
    EXPECT_EQ(refusal("{}", RunKind::kIndex), "field \"times\" is required");
}

TEST(RunRequest, RefusesOtherTypes) {
    EXPECT_EQ(refusal(R"({"asyncFlag":"true"})"), "field \"asyncFlag\" must be true or false");
    EXPECT_EQ(refusal(R"({"envName":1})"), "field \"envName\" must be a string");
    EXPECT_EQ(refusal(R"({"service":"FAST"})"), "field \"service\" must be LOW, MEDIUM or HIGH");
    const std::string count = "field \"times\" must be a whole number from 1 to 2147483647";
    for (const char* times : {"0", "-1", "1.5", "1.0", "\"1\"", "2147483648",
                              "18446744073709551615", "99999999999999999999", "true", "[]"})
        EXPECT_EQ(refusal(R"({"times":)" + std::string(times) + "}", RunKind::kIndex), count)
            << times;
    EXPECT_EQ(read(R"({"times":2147483647})", RunKind::kIndex).times, 2147483647);
}

TEST(RunRequest, RefusesWhatIsNoObject) {
    EXPECT_EQ(refusal("[]"), "the request body must be a JSON object");
    EXPECT_EQ(refusal(R"({"parameters":"[1]"})"),
              "field \"parameters\" must be a JSON object, or a string that contains one");
    EXPECT_EQ(refusal(R"({"parameters":7})"),
              "field \"parameters\" must be a JSON object, or a string that contains one");
    EXPECT_EQ(refusal(R"({"parameters":"{"})"),
              "field \"parameters\" is not valid JSON in UTF-8: error at byte 2");
    EXPECT_EQ(refusal(R"({"parameters":"{\"x\":1e999}"})"),
              "field \"parameters\" contains a number that is too large");
    EXPECT_EQ(refusal(R"({"parameters":"{}\u0000"})"),
              "field \"parameters\" is not valid JSON in UTF-8: error at byte 3");
    EXPECT_EQ(refusal("{\"a\":\"\xff\"}"),
              "the request body is not valid JSON in UTF-8: error at byte 7");
}

TEST(RunRequest, RefusesDepthAndHugeNumbers) {
    EXPECT_NE(refusal(std::string(100'000, '[')).find("levels"), std::string::npos);
    EXPECT_NE(refusal(R"({"parameters":")" + std::string(200, '[') + "\"}").find("levels"),
              std::string::npos);
    EXPECT_EQ(refusal(R"({"parameters":{"x":1e999}})"),
              "the request body contains a number that is too large");
}

TEST(RunRequest, RefusesZeroBytes) {
    EXPECT_EQ(refusal(std::string("{}\0", 3)),
              "the request body is not valid JSON in UTF-8: error at byte 3");
    EXPECT_EQ(refusal(R"({"input":"select \u0000"})", RunKind::kTable),
              "field \"input\" must be a string without zero bytes");
}

TEST(RunRequest, KnowsItsTimeout) {
    EXPECT_EQ(refusal(R"({"timeout":1800})"), "field \"timeout\" requires asyncFlag");
    EXPECT_NE(refusal(R"({"asyncFlag":true,"parameters":{"timeout":1}})").find("must not contain"),
              std::string::npos);
    EXPECT_EQ(read(R"({"parameters":{"timeout":1}})").par_lst(std::nullopt),
              R"({"timeout":1,"oml_async_flag":false,"oml_graphics_flag":false})");
    EXPECT_EQ(read(R"({"asyncFlag":true,"timeout":1800})").par_lst(std::nullopt),
              R"({"oml_async_flag":true,"timeout":1800})");
}

TEST(RunRequest, ReadsFlagsInParametersUnlessAFieldSaysOtherwise) {
    EXPECT_TRUE(read(R"({"parameters":"{\"oml_async_flag\":true}"})").is_async);
    EXPECT_TRUE(read(R"({"parameters":"{\"oml_graphics_flag\":1.0}"})").wants_graphics);
    EXPECT_TRUE(read(R"({"parameters":{"oml_graphics_flag":1}})").wants_graphics);
    EXPECT_TRUE(read(R"({"parameters":{"oml_graphics_flag":"always"}})").wants_graphics);
    EXPECT_EQ(read(R"({"graphicsFlag":true})").par_lst({}), R"({"oml_graphics_flag":"always"})");
    EXPECT_FALSE(read(R"({"asyncFlag":false,"parameters":{"oml_async_flag":true}})").is_async);
}

TEST(RunRequest, TakesCommentsInV2Only) {
    const std::string body = R"({"asyncFlag":true,"comments":"why"})";
    EXPECT_EQ(read(body).comments, "why");
    EXPECT_FALSE(read(body, RunKind::kEval, ApiVersion::kV1).comments);
    EXPECT_EQ(read(body).par_lst(std::nullopt), R"({"oml_async_flag":true,"oml_comments":"why"})");
}

TEST(RunRequest, DescribesItself) {
    const nlohmann::json schema = run_request_schema(RunKind::kGroup);
    EXPECT_EQ(schema["required"], (nlohmann::json{"input", "groupBy"}));
    EXPECT_TRUE(schema["properties"].contains("orderBy"));
    EXPECT_FALSE(schema["properties"].contains("times"));
    EXPECT_FALSE(run_request_schema(RunKind::kTable)["properties"].contains("parallelFlag"));
}

}  // namespace
}  // namespace epe::gateway
