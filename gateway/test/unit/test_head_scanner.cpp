// Tests of the check of request heads.
#include "head_scanner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace epe::gateway {
namespace {

bool takes(const std::string& head) {
    HeadScanner scanner;
    return std::all_of(head.begin(), head.end(), [&](char each) { return scanner.take(each); });
}

std::string with(const std::string& header) { return "POST /x HTTP/1.1\r\n" + header + "\r\n\r\n"; }

TEST(HeadScanner, TakesOrdinaryHeads) {
    EXPECT_TRUE(takes("GET / HTTP/1.1\r\n\r\n"));
    EXPECT_TRUE(takes(with("Host: a:1\r\nContent-Length: 30\r\nX-Empty:\r\nX-Odd: a: b %41\t")));
    EXPECT_TRUE(takes(with("transfer-encoding:chunked")));
}

TEST(HeadScanner, RefusesWhatOthersMightReadOtherwise) {
    for (const char* header :
         {"Content-Length : 30", "Content-Length: 30\nX: y", " Content-Length: 30", "X: a\r\n b",
          "Content-Length:", "Transfer-Encoding: \t", "no colon", ": nameless", "X\ty: z",
          "Transfer-Encoding: %63hunked", "Content-Length: %35", "X: a\rb", "X: y\r\r"})
        EXPECT_FALSE(takes(with(header))) << header;
    EXPECT_FALSE(takes("GET / HTTP/1.1\n\r\n"));
    const std::string zero(1, '\0');
    EXPECT_FALSE(takes("GET /a" + zero + " HTTP/1.1\r\n\r\n"));
    EXPECT_FALSE(takes(with("X: a" + zero + "b")));
    EXPECT_FALSE(takes(with("X" + zero + ": a")));
}

}  // namespace
}  // namespace epe::gateway
