// Tests of engine/client/engine_key.
#include "engine/client/engine_key.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace epe::engine {
namespace {

/// A change of a request.
struct Change {
    const char* name;
    std::function<void(EngineOptions&, Script&)> make;
};

EngineKey key_after(const Change& change) {
    EngineOptions options;
    Script script;
    change.make(options, script);
    return engine_key(options, script);
}

TEST(EngineKey, DiffersForWhatSeparatesEngines) {
    const EngineKey plain = engine_key(EngineOptions(), Script());
    const std::vector<Change> changes{
        {"role", [](EngineOptions& options, Script&) { options.role = 1; }},
        {"trust", [](EngineOptions& options, Script&) { options.is_trusted = true; }},
        {"role of the owner", [](EngineOptions&, Script& script) { script.owner_role = 1; }},
        {"owner", [](EngineOptions&, Script& script) { script.owner = "ann"; }},
        {"group", [](EngineOptions&, Script& script) { script.engine_group = "g"; }},
        {"environment", [](EngineOptions& options, Script&) { options.environment = "/nowhere"; }},
        {"sandbox", [](EngineOptions& options, Script&) { options.requires_sandbox = false; }},
        {"paths", [](EngineOptions& options, Script&) { options.sandbox.read_paths = {"/a"}; }},
        {"ports", [](EngineOptions& options, Script&) { options.sandbox.tcp_ports = {80}; }},
        {"files", [](EngineOptions& options, Script&) { options.sandbox.temp_bytes = 1; }},
        {"memory", [](EngineOptions& options, Script&) { options.sandbox.memory_bytes = 1; }},
        {"niceness", [](EngineOptions& options, Script&) { options.sandbox.niceness = 1; }},
    };
    for (const Change& change : changes) {
        EXPECT_FALSE(key_after(change) == plain) << change.name;
        EXPECT_TRUE(key_after(change) == key_after(change)) << change.name;
    }
}

TEST(EngineKey, IsTheSameForOtherScriptsOfAnOwner) {
    const EngineKey plain = engine_key(EngineOptions(), Script());
    const Change change{"other", [](EngineOptions& options, Script& script) {
                            script.name = "g";
                            script.source = "def g(): pass";
                            script.version = 2;
                            options.most_engines = 4;
                            options.is_first = false;
                            options.session_role = 7;
                            options.database = 5;
                        }};
    EXPECT_TRUE(key_after(change) == plain);
}

}  // namespace
}  // namespace epe::engine
