// Virtual environments: valid folders, their descriptions, and the errors.
#include "engine/common/environments.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "support/error_support.h"

namespace epe::engine {
namespace {

namespace fs = std::filesystem;
using test::error_of;

/// No engine of another version is beside that program.
const ServerPython kServer{.version = "3.11", .site_directories = {}, .program = "/nowhere/engine"};

class Environments : public ::testing::Test {
   protected:
    Environments() {
        std::string pattern = (fs::temp_directory_path() / "epe-environments-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
    }
    ~Environments() override {
        std::error_code ignored;
        fs::permissions(folder_ / "secret", fs::perms::owner_all, ignored);
        fs::remove_all(folder_, ignored);
    }

    static void write(const fs::path& path, std::string_view text) {
        fs::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    /// An environment as created by `python3 -m venv`.
    fs::path make(const std::string& name, const std::string& version = "version = 3.11.2\n") {
        const fs::path made = folder_ / name;
        write(made / "pyvenv.cfg", "home = /usr/bin\n" + version);
        fs::create_directories(made / "bin");
        fs::create_symlink("/bin/sh", made / "bin/python3");
        fs::create_directories(made / "lib/python3.11/site-packages");
        fs::create_directory_symlink("lib", made / "lib64");
        return made;
    }
    std::string find(const std::string& name) const {
        return find_environment(folder_.string(), name, kServer);
    }
    ErrorReport fail(const char* state, const std::string& name) const {
        return error_of(state, [&] { (void)find(name); });
    }
    std::vector<Environment> list() const {
        return list_environments(folder_.string(), kServer, {});
    }
    std::string names() const {
        std::string result;
        for (const Environment& environment : list())
            result += (result.empty() ? "" : " ") + environment.name;
        return result;
    }

    fs::path folder_;
};

TEST_F(Environments, Found) {
    EXPECT_EQ(find(make("current").filename()), (folder_ / "current").string());
    EXPECT_EQ(find_environment("", "default", kServer), "");
}

TEST_F(Environments, VersionsByEveryTool) {
    make("virtualenv", "Version_Info = 3.11.2.final.0\n");
    make("uv", "uv = 0.4.1\nversion_info=3.11\n");
    make("silent", "");
    make("garbled", "version = three\n");
    for (const char* const name : {"virtualenv", "uv", "silent", "garbled"})
        EXPECT_NE(find(name), "");
    make("next", "version = 3.12.1\n");
    make("tenth", "version = 3.1.1\n");
    EXPECT_EQ(fail("0A000", "next").message,
              "Python environment \"next\" is for Python 3.12, but the server embeds Python 3.11");
    (void)fail("0A000", "tenth");
    fs::create_directory(make("both", "") / "lib/python3.12");
    EXPECT_EQ(fail("0A000", "both").message,
              "Python environment \"both\" is for Python of an unknown version, but the server "
              "embeds Python 3.11");
    EXPECT_EQ(names(), "default garbled silent uv virtualenv");
}

TEST_F(Environments, BadNames) {
    make("current");
    for (const char* const name : {"", ".", "..", ".hidden", "a/b", "/", "../current", "current/"})
        (void)fail("22023", name);
    EXPECT_EQ(fail("22023", std::string("current\0x", 9)).message,
              "argument env_name cannot be \"current\": it names a folder");
}

TEST_F(Environments, Unknown) {
    make("Current");
    make("CURRENT");
    const ErrorReport report = fail("42704", "current");
    EXPECT_EQ(report.message, "Python environment \"current\" does not exist");
    EXPECT_EQ(report.detail, "There is no folder \"" + (folder_ / "current").string() + "\".");
    EXPECT_EQ(report.hint, "Perhaps you meant \"CURRENT\" or \"Current\". "
                           "See pyq_list_envs() for the available environments.");
    EXPECT_EQ(fail("42704", "other").hint, "See pyq_list_envs() for the available environments.");
    EXPECT_NE(error_of("42704", [] { (void)find_environment("", "x", kServer); })
                  .hint.find("oml_epe.environments_dir"),
              std::string::npos);
    (void)error_of("42704", [] { (void)find_environment("/nowhere", "x", kServer); });
}

TEST_F(Environments, FoldersThatAreNone) {
    fs::remove(make("no_python") / "bin/python3");
    const fs::path dangling = make("dangling") / "bin/python3";
    fs::remove(dangling);
    fs::create_symlink("/nowhere/python3", dangling);
    fs::remove(make("plain") / "pyvenv.cfg");
    write(folder_ / "file", "");
    fs::create_symlink("loop", folder_ / "loop");
    EXPECT_TRUE(fail("42704", "no_python").detail.ends_with("\" has no bin/python3."));
    EXPECT_TRUE(fail("42704", "dangling")
                    .detail.ends_with(
                        "/bin/python3\" is a link to \"/nowhere/python3\", which is not a file."));
    EXPECT_TRUE(fail("42704", "plain").detail.ends_with("\" has no pyvenv.cfg."));
    EXPECT_TRUE(fail("42704", "file").detail.ends_with("\" is not a folder."));
    EXPECT_TRUE(fail("42704", "loop").detail.starts_with("The server cannot access "));
    EXPECT_EQ(names(), "default");
}

TEST_F(Environments, UnreadableIsLeftOut) {
    if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
    fs::permissions(make("secret"), fs::perms::none);
    EXPECT_TRUE(fail("42501", "secret").detail.ends_with(": Permission denied."));
    EXPECT_EQ(names(), "default");
}

TEST_F(Environments, UnreadableBasePythonIsDenied) {
    if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
    const fs::path link = make("private") / "bin/python3";
    write(folder_ / "secret/python3", "");
    fs::remove(link);
    fs::create_symlink(folder_ / "secret/python3", link);
    fs::permissions(folder_ / "secret", fs::perms::none);
    const ErrorReport report = fail("42501", "private");
    EXPECT_EQ(report.message, "permission denied for Python environment \"private\"");
    EXPECT_TRUE(report.detail.ends_with("/secret/python3\", which the server may not access."));
    EXPECT_EQ(names(), "default");
}

TEST_F(Environments, OtherVersionNeedsItsOwnEngine) {
    make("next", "version = 3.13.1\n");
    write(folder_ / "next/lib/python3.13/site-packages/six.py", "");
    ServerPython server = kServer;
    server.program = (folder_ / ".engine").string();
    const auto find_next = [&] { return find_environment(folder_.string(), "next", server); };
    const auto listed = [&] { return list_environments(folder_.string(), server, {}); };
    const ErrorReport report = error_of("0A000", find_next);
    EXPECT_EQ(report.hint, "Create it with \"python3.11 -m venv\", or install an engine for it: "
                           "\"make engine PYTHON_CONFIG=python3.13-config\".");
    // One that cannot be executed is none; root executes what anyone may.
    write(folder_ / ".engine-3.13", "");
    (void)error_of("0A000", find_next);
    EXPECT_EQ(listed().size(), 1U);
    EXPECT_TRUE(environments_with("six", folder_.string(), server).empty());
    fs::permissions(folder_ / ".engine-3.13", fs::perms::owner_all);
    EXPECT_EQ(find_next(), (folder_ / "next").string());
    ASSERT_EQ(listed().size(), 2U);
    EXPECT_EQ(listed()[1].python_version, "3.13");
    EXPECT_EQ(environments_with("six", folder_.string(), server), std::vector<std::string>{"next"});
    // Too old for an engine of its own.
    make("old", "version = 3.4.1\n");
    EXPECT_EQ(
        error_of("0A000", [&] { (void)find_environment(folder_.string(), "old", server); }).hint,
        "Create it with \"python3.11 -m venv\".");
}

TEST_F(Environments, ListedByName) {
    EXPECT_EQ(names(), "default");
    make("b");
    make("a");
    make("default");
    make(".hidden");
    make("not utf-8 \xff");
    EXPECT_EQ(names(), "default a b");
    EXPECT_EQ(list_environments("", kServer, {}).size(), 1U);
    EXPECT_EQ(list_environments("/nowhere", kServer, {}).size(), 1U);
}

TEST_F(Environments, LinkIsFollowedAtTheTopOnly) {
    const fs::path real = make("real");
    write(real / "lib/python3.11/site-packages/data", std::string(100, 'x'));
    fs::create_directories(folder_ / "registered");
    fs::create_directory_symlink(real, folder_ / "registered/linked");
    const std::string registered = (folder_ / "registered").string();
    // Python would not know the environment by the name that it was registered under.
    EXPECT_EQ(find_environment(registered, "linked", kServer), registered + "/linked");
    const auto listed = list_environments(registered, kServer, {});
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[1].folder, registered + "/linked");
    // 33 bytes of pyvenv.cfg; neither lib64 nor bin/python3 count.
    EXPECT_EQ(listed[1].size_bytes, 100U + 33U);
}

TEST_F(Environments, SizeAndPackages) {
    const fs::path made = make("current");
    const fs::path sites = made / "lib/python3.11/site-packages";
    write(sites / "six.py", std::string(1000, 'x'));
    write(sites / "six-1.17.0.dist-info/METADATA", "");
    write(sites / "old-1.0.egg-info", "");
    write(sites / "six/none.dist-info/METADATA", "");
    fs::create_hard_link(sites / "six.py", made / "again.py");
    fs::create_directory_symlink("/", made / "root");
    const Environment found = list().at(1);
    EXPECT_EQ(found.size_bytes, 1000U + 33U);
    EXPECT_EQ(found.package_count, 2);
    EXPECT_EQ(found.python_version, "3.11");
    // A lib64 of its own.
    fs::remove(made / "lib64");
    write(made / "lib64/python3.11/site-packages/numpy-2.0.dist-info/METADATA", "");
    EXPECT_EQ(list().at(1).package_count, 3);
}

TEST_F(Environments, Default) {
    write(folder_ / "site/a-1.dist-info/METADATA", "1234");
    const std::string site = (folder_ / "site").string();
    const Environment found = list_environments("", {"3.11", {site, site, "/nowhere"}}, {}).at(0);
    EXPECT_EQ(found.name, "default");
    EXPECT_EQ(found.folder, "");
    EXPECT_EQ(found.package_count, 1);
    EXPECT_EQ(found.size_bytes, 4U);
    EXPECT_EQ(found.python_version, "3.11");
}

TEST_F(Environments, Descriptions) {
    const fs::path made = make("current");
    const auto described = [&](std::string_view text) {
        write(made / "description", text);
        return list().at(1).description;
    };
    EXPECT_EQ(list().at(1).description, "");
    write(made / "description.txt", "second choice");
    EXPECT_EQ(list().at(1).description, "second choice");
    EXPECT_EQ(described(" For zo\xc3\xab \r\nsecond line"), "For zo\xc3\xab");
    EXPECT_EQ(described(""), "");
    EXPECT_EQ(described("Latin-1: \xe9, nul: \1, cut: \xe2\x82"), "Latin-1: ?, nul: ?, cut: ??");
    EXPECT_EQ(described("\xed\xa0\x80|\xc0\x80|\xf4\x90\x80\x80|\xf0\x9f\x98\x80"),
              "???|??|????|\xf0\x9f\x98\x80");
    // Truncated, but not inside a character.
    std::string text;
    while (text.size() < 1500) text += "\xe2\x82\xac";
    EXPECT_EQ(described(text), text.substr(0, 999));
    // Not another file's first line.
    fs::remove(made / "description");
    fs::create_symlink("/etc/passwd", made / "description");
    EXPECT_EQ(list().at(1).description, "second choice");
}

TEST_F(Environments, StampTellsWhenPackagesChange) {
    const fs::path made = make("current");
    const std::string before = environment_stamp(made.string());
    EXPECT_NE(before, "");
    EXPECT_EQ(environment_stamp(made.string()), before);
    write(made / "lib/python3.11/site-packages/six.dist-info/METADATA", "x");
    const std::string after = environment_stamp(made.string());
    EXPECT_NE(after, before);
    fs::remove_all(made);
    make("current");
    EXPECT_NE(environment_stamp(made.string()), after);
    EXPECT_EQ(environment_stamp((folder_ / "none").string()), "");
    EXPECT_EQ(environment_stamp(""), "");
}

TEST_F(Environments, ListingCanBeStopped) {
    make("current");
    struct Stop {};
    EXPECT_THROW(list_environments(folder_.string(), kServer, [] { throw Stop(); }), Stop);
}

}  // namespace
}  // namespace epe::engine
