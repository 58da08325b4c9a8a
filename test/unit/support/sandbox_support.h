// Confined children for the tests of engine/sandbox.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.h"
#include "engine/sandbox/landlock.h"
#include "engine/sandbox/namespaces.h"
#include "engine/sandbox/sandbox.h"
#include "engine/sandbox/seccomp_filter.h"

namespace epe::test {

/// Exit status of a child other than 0 or errno.
inline constexpr int kThrown = 250;
inline constexpr int kKilled = 251;

/// Runs `action`, which returns 0 or errno, in a child, and returns that.
template <typename Action>
int in_child(Action action) {
    const pid_t child = ::fork();
    if (child == 0) {
        // No exit handlers: they belong to the parent, and LeakSanitizer would want ptrace.
        try {
            ::_exit(action());
        } catch (const std::exception& error) {
            std::string text = std::string("thrown: ") + error.what() + "\n";
            [[maybe_unused]] const auto size = ::write(STDERR_FILENO, text.data(), text.size());
            ::_exit(kThrown);
        }
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) return kKilled;
    return WEXITSTATUS(status);
}

inline const engine::SystemCallFilter& prepared_filter() {
    static const engine::SystemCallFilter filter = engine::SystemCallFilter::prepare();
    return filter;
}

/// 0 if a system call succeeded, else errno.
inline int result_of(long result) { return result < 0 ? errno : 0; }

/// Opens and closes.
inline int open_result(const std::string& path, int flags) {
    const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (file < 0) return errno;
    ::close(file);
    return 0;
}

/// Once in namespaces of its own and once without, as on a machine that refuses them.
class Sandbox : public ::testing::TestWithParam<bool> {
   protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "epe-sandbox-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root_ = name;
        std::filesystem::create_directories(root_ / "temp");
        std::filesystem::create_directories(root_ / "data");
        plan_.temp_folder = temp();
        plan_.read_paths = {data(), (root_ / "absent").string()};
        for (const std::string& path : {secret(), data() + "/file"}) std::ofstream(path) << "text";
        if (engine::landlock_abi() == 0) GTEST_SKIP() << "the kernel has no Landlock";
        if (has_namespaces() && !machine_has_namespaces()) {
            GTEST_SKIP() << "the kernel refuses namespaces";
        }
    }
    void TearDown() override { std::filesystem::remove_all(root_); }

    static bool machine_has_namespaces() {
        return in_child([] { return engine::enter_namespaces(false).has_mount ? 0 : 1; }) == 0;
    }

    /// Confines a child by plan_ and runs the attempt there.
    template <typename Attempt>
    int confined(Attempt attempt) const {
        return in_child([&] {
            engine::NamespaceReport namespaces;
            if (has_namespaces()) namespaces = engine::enter_namespaces(!plan_.tcp_ports.empty());
            engine::confine(plan_, namespaces, prepared_filter());
            return attempt();
        });
    }

    bool has_namespaces() const { return GetParam(); }
    std::string temp() const { return (root_ / "temp").string(); }
    std::string data() const { return (root_ / "data").string(); }
    /// A file of this user, as the server's files are.
    std::string secret() const { return (root_ / "secret").string(); }

    std::filesystem::path root_{};
    engine::SandboxPlan plan_{};
};

inline std::string variant_name(const ::testing::TestParamInfo<bool>& info) {
    return info.param ? "InNamespaces" : "WithoutNamespaces";
}

}  // namespace epe::test
