// Tests of the client address taken from headers of proxies.
#include "client_address.h"

#include <gtest/gtest.h>

namespace epe::gateway {
namespace {

bool holds(const std::string& network, const std::string& address) {
    return IpNetwork::parse(network).value().holds(IpAddress::parse(address).value());
}

TEST(IpNetwork, HoldsItsAddresses) {
    EXPECT_TRUE(holds("10.0.0.0/8", "10.255.0.1"));
    EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
    EXPECT_TRUE(holds("192.168.4.0/22", "192.168.7.255"));
    EXPECT_FALSE(holds("192.168.4.0/22", "192.168.8.0"));
    EXPECT_TRUE(holds("127.0.0.1", "127.0.0.1"));
    EXPECT_FALSE(holds("127.0.0.1", "127.0.0.2"));
    EXPECT_TRUE(holds("0.0.0.0/0", "203.0.113.9"));
    EXPECT_FALSE(holds("0.0.0.0/0", "2001:db8::1"));
    EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
    EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
    EXPECT_TRUE(holds("::1", "::1"));
    EXPECT_TRUE(holds("::/0", "::1"));
    EXPECT_TRUE(holds("10.1.2.3", "::ffff:10.1.2.3"));
}

TEST(IpNetwork, IsNothingElse) {
    for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
                             "10.0.0.0/8x", "10.0.0.0/ 8", "10.0.0/8", "localhost", "[::1]",
                             "::1/129", "::1/+1", "10.0.0.0/8/8", "fe80::1%eth0", "1.2.3.4:80"})
        EXPECT_FALSE(IpNetwork::parse(text)) << text;
}

class ClientAddress : public testing::Test {
   protected:
    std::string of(const std::string& peer, const std::vector<std::string>& forwarded) {
        return client_address(peer, forwarded,
                              {*IpNetwork::parse("10.0.0.0/8"), *IpNetwork::parse("fd00::/8")});
    }
};

TEST_F(ClientAddress, IsThePeersOfWhomNobodyTrusts) {
    EXPECT_EQ(of("203.0.113.1", {"198.51.100.1"}), "203.0.113.1");
    EXPECT_EQ(of("2001:db8::1", {"198.51.100.1"}), "2001:db8::1");
    EXPECT_EQ(client_address("127.0.0.1", {"198.51.100.1"}, {}), "127.0.0.1");
    EXPECT_EQ(of("", {"198.51.100.1"}), "");
}

TEST_F(ClientAddress, IsTheRightMostThatIsNoProxys) {
    EXPECT_EQ(of("10.0.0.1", {"198.51.100.1"}), "198.51.100.1");
    EXPECT_EQ(of("::ffff:10.0.0.1", {"198.51.100.1"}), "198.51.100.1");
    EXPECT_EQ(of("10.0.0.1", {"1.1.1.1, 198.51.100.1"}), "198.51.100.1");
    EXPECT_EQ(of("10.0.0.1", {"garbage, 198.51.100.1 ,\t10.0.0.2"}), "198.51.100.1");
    EXPECT_EQ(of("10.0.0.1", {"1.1.1.1", "198.51.100.1", "10.0.0.2,fd00::7"}), "198.51.100.1");
    EXPECT_EQ(of("fd00::1", {"2001:DB8:0::1"}), "2001:db8::1");
    EXPECT_EQ(of("10.0.0.1", {"[2001:db8::1]:4711"}), "2001:db8::1");
    EXPECT_EQ(of("10.0.0.1", {"198.51.100.1:4711"}), "198.51.100.1");
    EXPECT_EQ(of("10.0.0.1", {"::ffff:198.51.100.1"}), "198.51.100.1");
    EXPECT_EQ(of("10.0.0.1", {"10.0.0.3, 10.0.0.2"}), "10.0.0.3");
}

TEST_F(ClientAddress, IsTheProxysWhereTheHeaderSaysNothing) {
    for (const std::string header :
         {"", ",", "unknown", "198.51.100.1,", "198.51.100.1, x", "198.51.100.1 1.1.1.1", "1.1.1",
          "[::1", "[::1]x", "[::1]:", "[1.1.1.1]", "1.1.1.1:x", "1.1.1.1:123456", "\"1.1.1.1\"",
          "for=1.1.1.1", "x, 10.0.0.2"})
        EXPECT_EQ(of("10.0.0.1", {header}), "10.0.0.1") << header;
    EXPECT_EQ(of("10.0.0.1", {}), "10.0.0.1");
    EXPECT_EQ(of("10.0.0.1", {std::string("1.1.1.1\0", 8)}), "10.0.0.1");
}

}  // namespace
}  // namespace epe::gateway
