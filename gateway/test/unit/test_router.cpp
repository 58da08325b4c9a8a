// Tests of the routing of request targets.
#include "router.h"

#include <gtest/gtest.h>

namespace epe::gateway {
namespace {

using Words = std::vector<std::string>;

Route route(const char* method, const char* path) {
    return {method, path, Access::kPublic, nullptr, path, "", "", nullptr, nullptr};
}

const Route kRoutes[] = {
    route("GET", "/api/things"),
    route("GET", "/api/things/{name}"),
    route("DELETE", "/api/things/{name}"),
    route("GET", "/api/things/special"),
    route("POST", "/api/{kind}/{name}/{owner}"),
};

class RouterTest : public testing::Test {
   protected:
    RouteMatch find(const char* method, const char* target) {
        return router_.find(method, split_target(target));
    }
    Router router_{kRoutes};
};

TEST_F(RouterTest, FindsFixedPathsAndNames) {
    EXPECT_EQ(find("GET", "/api/things").route, &kRoutes[0]);
    EXPECT_EQ(find("GET", "/api/things/?x=/y").route, &kRoutes[0]);
    const RouteMatch match = find("POST", "/api/a/b/c");
    EXPECT_EQ(match.route, &kRoutes[4]);
    EXPECT_EQ(match.path,
              (std::map<std::string, std::string>{{"kind", "a"}, {"name", "b"}, {"owner", "c"}}));
}

TEST_F(RouterTest, PrefersFixedWords) {
    EXPECT_EQ(find("GET", "/api/things/special").route, &kRoutes[3]);
    EXPECT_EQ(find("DELETE", "/api/things/special").route, nullptr);
    EXPECT_EQ(find("GET", "/api/things/other").route, &kRoutes[1]);
}

TEST_F(RouterTest, HeadGoesWithGet) { EXPECT_EQ(find("HEAD", "/api/things").route, &kRoutes[0]); }

TEST_F(RouterTest, TellsTheMethodsOfAPath) {
    const RouteMatch match = find("PUT", "/api/things/x");
    EXPECT_EQ(match.route, nullptr);
    EXPECT_EQ(match.allowed, "DELETE, GET, HEAD");
    EXPECT_EQ(match.path_template, "/api/things/{name}");
}

TEST_F(RouterTest, UnknownPathsHaveNone) {
    for (const char* target : {"/", "/api", "/api//x/y", "/api/things/a/b/c", "/API/things"}) {
        const RouteMatch match = find("GET", target);
        EXPECT_EQ(match.route, nullptr) << target;
        EXPECT_EQ(match.path_template, "") << target;
    }
}

TEST(Target, DecodesEachWord) {
    EXPECT_EQ(split_target("/a%2Fb/c%20d/%C3%A9/+"), (Words{"a/b", "c d", "é", "+"}));
}

TEST(Target, RefusesWhatIsNoText) {
    for (const char* target : {"", "a", "*", "http://x/y", "/%", "/%1", "/%zz", "/%00", "/%ff",
                               "/\xff", "/%c0%80", "/%ed%a0%80"})
        EXPECT_EQ(split_target(target), Words{}) << target;
}

TEST(Target, KnowsOlderSpellings) {
    const Words scripts{"oml", "api", "py-scripts", "v1"};
    EXPECT_EQ(split_target("/oml/api/py-scripts/v1"), scripts);
    EXPECT_EQ(split_target("/api/py-scripts/v1"), scripts);
    EXPECT_EQ(split_target("/oml/tenants/t/databases/d/api/py-scripts/v1"), scripts);
    const Words token{"omlusers", "api", "oauth2", "v1", "token"};
    EXPECT_EQ(split_target("/omlusers/tenants/t/databases/d/api/oauth2/v1/token"), token);
    EXPECT_EQ(split_target("/omlmod/api/oauth2/v1/token"), token);
}

}  // namespace
}  // namespace epe::gateway
