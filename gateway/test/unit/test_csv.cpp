// Tests of tables as CSV, and of content negotiation.
#include <gtest/gtest.h>

#include "accept.h"
#include "api_error.h"
#include "csv.h"
#include "table_support.h"

namespace epe::gateway {
namespace {

TEST(Csv, QuotesWhatNeedsIt) {
    CsvWriter writer({{"a,b"}, {"flag", ColumnKind::kBool}});
    EXPECT_EQ(writer.begin(), "\"a,b\",flag\n");
    const TextRows rows({{"x", "t"},
                         {"a\"b", "f"},
                         {"", std::nullopt},
                         {std::nullopt, "t"},
                         {"1\n2", "t"},
                         {" x", "t"}});
    EXPECT_EQ(writer.write(rows),
              "x,true\n\"a\"\"b\",false\n\"\",\n,true\n\"1\n2\",true\n\" x\",true\n");
    EXPECT_EQ(writer.end(), "");
}

TEST(Accept, ChoosesTheBest) {
    EXPECT_EQ(choose_media_type(""), MediaType::kJson);
    EXPECT_EQ(choose_media_type("*/*"), MediaType::kJson);
    EXPECT_EQ(choose_media_type("application/*"), MediaType::kJson);
    EXPECT_EQ(choose_media_type("Text/CSV"), MediaType::kCsv);
    EXPECT_EQ(choose_media_type("text/csv;q=0.5, application/json;q=0.4"), MediaType::kCsv);
    EXPECT_EQ(choose_media_type("application/vnd.apache.arrow.stream, */*;q=0.1"),
              MediaType::kArrow);
    EXPECT_EQ(choose_media_type("application/json;q=0, */*"), MediaType::kCsv);
    EXPECT_EQ(choose_media_type("text/html, application/xml;q=0.9, */*;q=0.8"), MediaType::kJson);
}

TEST(Accept, RefusesTheRest) {
    for (const char* accept : {"image/png", "application/json;q=0", "text/csv;q=x", ";", "a"}) {
        try {
            choose_media_type(accept);
            ADD_FAILURE() << accept;
        } catch (const ApiError& error) {
            EXPECT_EQ(error.status(), 406);
        }
    }
}

}  // namespace
}  // namespace epe::gateway
