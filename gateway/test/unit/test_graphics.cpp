// Tests of results with figures.
#include <gtest/gtest.h>

#include "graphics.h"

namespace epe::gateway {
namespace {

TEST(Graphics, GivesAnArrayForALoneCall) {
    EXPECT_EQ(graphics_result({{"", "1", "[{\"a\":1}]", "T", "aGk="}, {"", "2", "7", {}, "aA=="}},
                              RunKind::kTable),
              R"([{"IMAGE":"aGk=","DATA":"[{\"a\":1}]","ID":1,"TITLE":"T"},)"
              R"({"IMAGE":"aA==","DATA":"7","ID":2}])");
    EXPECT_EQ(graphics_result({}, RunKind::kEval), "[]");
}

TEST(Graphics, GivesAnObjectForNamedCalls) {
    EXPECT_EQ(
        graphics_result(
            {{"a\"b", "1", "1", {}, "x"}, {"a\"b", "2", "1", {}, "y"}, {"c", {}, "null", {}, {}}},
            RunKind::kGroup),
        R"({"a\"b":[{"IMAGE":"x","DATA":"1","ID":1},{"IMAGE":"y","DATA":"1","ID":2}],)"
        R"("c":[{"IMAGE":null,"DATA":"null","ID":null}]})");
    EXPECT_EQ(graphics_result({}, RunKind::kRow), "{}");
}

}  // namespace
}  // namespace epe::gateway
