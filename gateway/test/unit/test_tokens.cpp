// Tests of tokens: lifetimes, chains, limits.
#include "tokens.h"

#include <gtest/gtest.h>

namespace epe::gateway {
namespace {

using State = Tokens::State;
using std::chrono::seconds;

const Tokens::Clock::time_point kStart{std::chrono::hours(100)};

TEST(Tokens, AreRandomAndFitIntoUrls) {
    Tokens tokens({});
    const auto first = tokens.issue("ann", kStart);
    const auto second = tokens.issue("ann", kStart);
    ASSERT_TRUE(first && second);
    EXPECT_NE(first->token, second->token);
    EXPECT_EQ(first->token.size(), 43U);
    EXPECT_EQ(first->token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                             "0123456789-_"),
              std::string::npos);
    EXPECT_EQ(first->expires_in, seconds(3600));
}

TEST(Tokens, ExpireAfterTheirLife) {
    Tokens tokens({});
    const auto issued = tokens.issue("ann", kStart);
    EXPECT_EQ(tokens.find(issued->token, kStart + seconds(3599)).state, State::kValid);
    EXPECT_EQ(tokens.find(issued->token, kStart + seconds(3599)).user, "ann");
    EXPECT_EQ(tokens.find(issued->token, kStart + seconds(3600)).state, State::kExpired);
    EXPECT_FALSE(tokens.refresh(issued->token, kStart + seconds(3600)));
    EXPECT_EQ(tokens.valid(kStart + seconds(3600)), 0U);
    tokens.sweep(kStart + seconds(3601));
    EXPECT_EQ(tokens.find(issued->token, kStart + seconds(3601)).state, State::kExpired);
    tokens.sweep(kStart + seconds(3600 + 601));
    EXPECT_EQ(tokens.find(issued->token, kStart + seconds(3600 + 601)).state, State::kUnknown);
}

TEST(Tokens, OthersAreUnknown) {
    Tokens tokens({});
    const auto issued = tokens.issue("ann", kStart);
    for (const std::string& other : {std::string(), std::string("x"), issued->token + "A",
                                     issued->token.substr(1), std::string(100'000, 'A')})
        EXPECT_EQ(tokens.find(other, kStart).state, State::kUnknown) << other.substr(0, 50);
}

TEST(Tokens, ARefreshedOneLivesBesideTheFormer) {
    Tokens tokens({});
    const auto first = tokens.issue("ann", kStart);
    const auto second = tokens.refresh(first->token, kStart + seconds(3000));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->user, "ann");
    EXPECT_EQ(tokens.find(first->token, kStart + seconds(3500)).state, State::kValid);
    EXPECT_EQ(tokens.find(first->token, kStart + seconds(3700)).state, State::kExpired);
    EXPECT_EQ(tokens.find(second->token, kStart + seconds(3700)).state, State::kValid);
}

TEST(Tokens, AChainEnds) {
    Tokens tokens({seconds(3600), seconds(5000), 10, 10});
    const auto first = tokens.issue("ann", kStart);
    const auto second = tokens.refresh(first->token, kStart + seconds(3000));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->expires_in, seconds(2000));
    const auto third = tokens.refresh(second->token, kStart + seconds(4999));
    ASSERT_TRUE(third);
    EXPECT_EQ(third->expires_in, seconds(1));
    EXPECT_FALSE(tokens.refresh(third->token, kStart + seconds(5000)));
}

TEST(Tokens, RevokingEndsTheChainAlone) {
    Tokens tokens({});
    const auto first = tokens.issue("ann", kStart);
    const auto second = tokens.refresh(first->token, kStart);
    const auto other = tokens.issue("ann", kStart);
    EXPECT_TRUE(tokens.revoke(second->token));
    EXPECT_FALSE(tokens.revoke(second->token));
    EXPECT_EQ(tokens.find(first->token, kStart).state, State::kUnknown);
    EXPECT_EQ(tokens.find(other->token, kStart).state, State::kValid);
}

TEST(Tokens, RevokingAUserEndsAllOfHis) {
    Tokens tokens({});
    const auto first = tokens.issue("ann", kStart);
    const auto other = tokens.issue("bob", kStart);
    tokens.revoke_user("ann");
    EXPECT_EQ(tokens.find(first->token, kStart).state, State::kUnknown);
    EXPECT_EQ(tokens.find(other->token, kStart).state, State::kValid);
    EXPECT_EQ(tokens.users(kStart), std::set<std::string>{"bob"});
}

TEST(Tokens, AreLimitedByUserAndInAll) {
    Tokens tokens({seconds(10), seconds(100), 2, 3});
    EXPECT_TRUE(tokens.issue("ann", kStart));
    const auto second = tokens.issue("ann", kStart);
    EXPECT_FALSE(tokens.issue("ann", kStart));
    EXPECT_FALSE(tokens.refresh(second->token, kStart));
    EXPECT_TRUE(tokens.issue("bob", kStart));
    EXPECT_FALSE(tokens.issue("bob", kStart));
    // Expired tokens make room.
    EXPECT_TRUE(tokens.issue("bob", kStart + seconds(10)));
}

}  // namespace
}  // namespace epe::gateway
