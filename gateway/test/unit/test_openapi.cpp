// Tests that the OpenAPI document is complete and self-contained.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "openapi.h"
#include "route.h"

namespace epe::gateway {
namespace {

using Json = nlohmann::ordered_json;

/// Calls `visit` with the value of every "$ref".
void each_reference(const Json& json, const std::function<void(const std::string&)>& visit) {
    if (json.is_object() && json.contains("$ref")) visit(json["$ref"].get<std::string>());
    if (json.is_structured())
        for (const auto& [key, value] : json.items()) each_reference(value, visit);
}

TEST(Openapi, HasEveryRoute) {
    const Json document = openapi_document("http://localhost");
    EXPECT_EQ(document["openapi"], "3.1.0");
    std::set<std::string> operations;
    for (const Route& route : routes()) {
        std::string method = route.method;
        for (char& c : method) c = static_cast<char>(std::tolower(c));
        ASSERT_TRUE(document["paths"][route.path].contains(method)) << route.path;
        const Json& operation = document["paths"][route.path][method];
        EXPECT_TRUE(operations.insert(operation["operationId"]).second) << route.operation;
        EXPECT_FALSE(operation["responses"].empty()) << route.path;
        EXPECT_EQ(operation.contains("security"), route.access == Access::kPublic) << route.path;
        EXPECT_EQ(operation["responses"].contains("401"),
                  route.access == Access::kToken || std::string(route.operation) == "issueToken")
            << route.path;
    }
}

TEST(Openapi, NamesEveryParameterOfAPath) {
    const Json document = openapi_document("http://localhost");
    for (const auto& [path, methods] : document["paths"].items()) {
        for (const auto& [method, operation] : methods.items()) {
            std::set<std::string> names;
            for (const Json& parameter : operation.value("parameters", Json::array()))
                if (parameter["in"] == "path") names.insert(parameter["name"]);
            const auto braces = std::count(path.begin(), path.end(), '{');
            EXPECT_EQ(names.size(), static_cast<std::size_t>(braces)) << path;
            for (const std::string& name : names)
                EXPECT_NE(path.find("{" + name + "}"), std::string::npos) << path;
        }
    }
}

TEST(Openapi, ResolvesAndUsesEverySchema) {
    const Json document = openapi_document("http://localhost");
    const std::string prefix = "#/components/schemas/";
    std::set<std::string> used;
    each_reference(document, [&](const std::string& reference) {
        ASSERT_TRUE(reference.starts_with(prefix)) << reference;
        used.insert(reference.substr(prefix.size()));
    });
    for (const std::string& name : used)
        EXPECT_TRUE(document["components"]["schemas"].contains(name)) << name;
    for (const auto& [name, schema] : document["components"]["schemas"].items())
        EXPECT_TRUE(used.contains(name)) << name;
}

}  // namespace
}  // namespace epe::gateway
