// Tests of the mapping of errors to responses, of tokens in headers, and of metrics.
#include <gtest/gtest.h>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include "bearer.h"
#include "database.h"
#include "error_answer.h"
#include "metrics.h"
#include "status_of.h"

namespace epe::gateway {
namespace {

DatabaseError database_error(const char* sqlstate, const char* message) {
    DatabaseError error;
    error.sqlstate = sqlstate;
    error.message = message;
    return error;
}

TEST(StatusOf, FollowsTheClassOfTheError) {
    for (const char* each : {"28000", "28P01"}) EXPECT_EQ(status_of(each), 401) << each;
    for (const char* each : {"08006", "53300", "57P01", "57P03", "58030", "XX000"})
        EXPECT_EQ(status_of(each), 500) << each;
    for (const char* each : {"38000", "22023", "42704", "42501", "57014", "54000", ""})
        EXPECT_EQ(status_of(each), 400) << each;
}

TEST(ToApiError, JoinsWhatTheServerSaid) {
    DatabaseError error = database_error("38000", "ValueError: no");
    error.hint = "Do it.";
    error.context = "Traceback";
    const ApiError answer = to_api_error(error);
    EXPECT_EQ(answer.status(), 400);
    EXPECT_STREQ(answer.what(), "ValueError: no");
    EXPECT_EQ(answer.detail(), "Do it.\nTraceback");
    EXPECT_EQ(answer.code(), kPlainFailure);
    EXPECT_EQ(answer.sqlstate(), "38000");
}

TEST(ToApiError, KnowsTheOutputLimit) {
    EXPECT_EQ(to_api_error(database_error("54000", "Output exceeds maximum length 5000")).code(),
              kOutputTooLong);
    EXPECT_EQ(to_api_error(database_error("54000", "stack depth")).code(), kPlainFailure);
    EXPECT_EQ(to_api_error(database_error("38000", "Output exceeds maximum length 5000")).code(),
              kPlainFailure);
}

TEST(ErrorAnswer, IsJsonWhateverTheTextIs) {
    httplib::Response response;
    response.set_content("half", "text/csv");
    fill_error(response, ApiError(400, "bad \xff \"text\"", "detail", kPlainFailure, "38000"));
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(response.get_header_value_count("Content-Type"), 1U);
    EXPECT_EQ(response.get_header_value("Content-Type"), "application/json");
    const auto body = nlohmann::json::parse(response.body);
    EXPECT_EQ(body["errorCode"], 1);
    EXPECT_EQ(body["errorDetail"], "detail");
    EXPECT_EQ(body["sqlState"], "38000");
    EXPECT_EQ(body.size(), 4U);
}

std::string token_of(const char* header) {
    httplib::Request request;
    request.headers.emplace("Authorization",
                            header);  // newer versions of set_header reject some of these
    try {
        return bearer_token(request);
    } catch (const ApiError& error) {
        return std::to_string(error.status());
    }
}

TEST(Bearer, TakesTheTokenOfTheHeader) {
    EXPECT_EQ(token_of("Bearer abc"), "abc");
    EXPECT_EQ(token_of("bearer   abc "), "abc");
    for (const char* header : {"Basic abc", "Bearer", "Bearer ", "abc", ""})
        EXPECT_EQ(token_of(header), "401") << header;
    EXPECT_EQ(bearer_token(httplib::Request{}), "");
}

TEST(Metrics, AreTextForPrometheus) {
    Metrics metrics;
    metrics.count_request("/a/{b}", "GET", 200, 0.003);
    metrics.count_request("/a/{b}", "GET", 200, 99);
    metrics.count_failed_login();
    const std::string text = metrics.text({7, 5, 3, 2});
    const auto has = [&](const std::string& line) {
        return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
    };
    const std::string prefix = "oml_epe_gateway_";
    EXPECT_TRUE(has(prefix + R"(requests_total{route="/a/{b}",method="GET",status="200"} 2)"));
    EXPECT_TRUE(has(prefix + R"(request_duration_seconds_bucket{route="/a/{b}",le="0.0025"} 0)"));
    EXPECT_TRUE(has(prefix + R"(request_duration_seconds_bucket{route="/a/{b}",le="0.005"} 1)"));
    EXPECT_TRUE(has(prefix + R"(request_duration_seconds_bucket{route="/a/{b}",le="60"} 1)"));
    EXPECT_TRUE(has(prefix + R"(request_duration_seconds_bucket{route="/a/{b}",le="+Inf"} 2)"));
    EXPECT_TRUE(has(prefix + R"(request_duration_seconds_count{route="/a/{b}"} 2)"));
    EXPECT_TRUE(has(prefix + "http_connections 7"));
    EXPECT_TRUE(has(prefix + "database_connections_in_use 3"));
    EXPECT_TRUE(has(prefix + "failed_logins_total 1"));
}

}  // namespace
}  // namespace epe::gateway
