// Tests of the check of chunked bodies.
#include "chunk_scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace epe::gateway {
namespace {

bool is_taken(const std::string& body) {
    ChunkScanner whole;
    const bool is_whole_taken = whole.take(body);
    ChunkScanner scanner;
    bool is_each_taken = true;
    for (const char& each : body) is_each_taken = scanner.take({&each, 1});
    EXPECT_EQ(is_whole_taken, is_each_taken) << body;
    return is_whole_taken;
}

TEST(ChunkScanner, TakesWhatTheStandardHas) {
    for (const std::string body :
         {"0\r\n\r\n", "000\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", "A\r\n0123456789\r\n0\r\n\r\n",
          "a;name=value\r\n0123456789\r\n0\r\n\r\n", "1;a=\"\xC3\xA9 ;\"\r\nx\r\n0;b\r\n\r\n",
          "2 \t;x\r\n\r\n\r\n0\r\n\r\n", "0000000000000000000001\r\nx\r\n"})
        EXPECT_TRUE(is_taken(body)) << body;
}

TEST(ChunkScanner, RefusesWhatOthersReadOtherwise) {
    for (const std::string body : {"\r\n",
                                   "-1\r\n",
                                   "+1\r\nx\r\n",
                                   " 1\r\nx\r\n",
                                   "0x1\r\nx\r\n",
                                   "1 \r\nx\r\n",
                                   "\t1\r\n",
                                   "1\nx\r\n",
                                   "1\r\r\nx",
                                   "g\r\n",
                                   "1_0\r\n",
                                   "1,0\r\n",
                                   ";x\r\n",
                                   "1;a\nb\r\n",
                                   "1;a\rb\r\n",
                                   "1\r\nxy\r\n",
                                   "1\r\nx\n0\r\n",
                                   "1\r\nx0\r\n\r\n",
                                   "0\r\nTrailer: x\r\n\r\n",
                                   "0\r\n\n",
                                   "10000000000000000\r\n",
                                   "fffffffffffffffff\r\n",
                                   "1;\x7F\r\n",
                                   "0\r\n\r\nGET",
                                   "1\r\nx\r\n\r\n"})
        EXPECT_FALSE(is_taken(body)) << body;
    using namespace std::string_literals;
    EXPECT_FALSE(is_taken("1;\0\r\n"s));
    EXPECT_FALSE(is_taken("1\0\r\n"s));
}

TEST(ChunkScanner, StaysWithItsWord) {
    ChunkScanner scanner;
    EXPECT_FALSE(scanner.take("-"));
    EXPECT_FALSE(scanner.take("1\r\nx\r\n"));
}

}  // namespace
}  // namespace epe::gateway
