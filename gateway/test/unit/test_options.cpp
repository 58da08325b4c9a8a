// Tests of the command line.
#include "options.h"

#include <gtest/gtest.h>

namespace epe::gateway {
namespace {

std::string refusal(const std::vector<std::string>& words) {
    try {
        (void)parse_options(words);
        return "";
    } catch (const OptionError& error) {
        return error.what();
    }
}

TEST(Options, HaveDefaults) {
    const Options options = parse_options({});
    EXPECT_EQ(options.host, "127.0.0.1");
    EXPECT_EQ(options.port, 8080);
    EXPECT_EQ(options.max_body, 1048576U);
    EXPECT_EQ(options.output_limit, 5000);
    EXPECT_FALSE(options.has_tls());
}

TEST(Options, TakeValuesInBothForms) {
    const Options options = parse_options({"--listen", "127.0.0.2:1", "--db=host=x dbname=y",
                                           "--token-life=10", "--allow-plain-http"});
    EXPECT_EQ(options.host, "127.0.0.2");
    EXPECT_EQ(options.port, 1);
    EXPECT_EQ(options.database, "host=x dbname=y");
    EXPECT_EQ(options.token_life.count(), 10);
}

TEST(Options, TakeIpv6InBrackets) {
    const Options options = parse_options({"--listen", "[::1]:0"});
    EXPECT_EQ(options.host, "::1");
    EXPECT_EQ(address_text(options.host, 80), "[::1]:80");
    EXPECT_NE(refusal({"--listen", "::1:80"}).find("brackets"), std::string::npos);
}

TEST(Options, RefuseWhatCannotBe) {
    EXPECT_NE(refusal({"--bogus"}).find("--bogus"), std::string::npos);
    EXPECT_NE(refusal({"stray"}).find("stray"), std::string::npos);
    EXPECT_NE(refusal({"--listen"}).find("needs a value"), std::string::npos);
    EXPECT_NE(refusal({"--listen", "127.0.0.1:65536"}), "");
    EXPECT_NE(refusal({"--listen", "127.0.0.1:"}), "");
    EXPECT_NE(refusal({"--listen", ":80"}), "");
    EXPECT_NE(refusal({"--max-clients", "0"}), "");
    EXPECT_NE(refusal({"--max-clients", "1x"}), "");
    EXPECT_NE(refusal({"--max-clients", "-1"}), "");
    EXPECT_NE(refusal({"--allow-plain-http=yes"}), "");
    EXPECT_NE(refusal({"--tls-cert", "x"}).find("together"), std::string::npos);
    EXPECT_NE(refusal({"--token-chain", "10"}), "");
}

TEST(Options, PlainHttpIsForThisMachine) {
    for (const char* host : {"127.0.0.1", "127.8.9.1", "localhost", "[::1]"})
        EXPECT_EQ(refusal({"--listen", std::string(host) + ":1"}), "") << host;
    for (const char* host : {"0.0.0.0", "10.0.0.1", "[::]", "example.org", "localhost.evil.org"}) {
        EXPECT_NE(refusal({"--listen", std::string(host) + ":1"}), "") << host;
        EXPECT_EQ(refusal({"--listen", std::string(host) + ":1", "--allow-plain-http"}), "");
        EXPECT_EQ(refusal({"--listen", std::string(host) + ":1", "--tls-cert=c", "--tls-key=k"}),
                  "");
    }
}

TEST(Options, NamesTrustedProxies) {
    const Options options =
        parse_options({"--trusted-proxy", "10.0.0.0/8,::1", "--trusted-proxy=192.0.2.1"});
    EXPECT_EQ(options.trusted_proxies.size(), 3U);
    for (const char* text : {"", "10.0.0.0/40", "proxy.example.org", "10.0.0.1,", ",10.0.0.1",
                             "10.0.0.1, 10.0.0.2", "[::1]"})
        EXPECT_NE(refusal({"--trusted-proxy", text}), "") << text;
}

TEST(Options, TheDatabaseNamesNobody) {
    EXPECT_EQ(refusal({"--db", "postgresql://host:1/name?sslmode=require"}), "");
    for (const char* text : {"user=x", "password=x", "passfile=/x", "service=x",
                             "postgresql://user@host/name", "host", "bogus=1"})
        EXPECT_NE(refusal({"--db", text}), "") << text;
}

}  // namespace
}  // namespace epe::gateway
