// Tests of engine/client/supervisor_launch: inheritance of a supervisor, and sockets in the file
// system.
#include "engine/client/supervisor_launch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/error_support.h"

namespace epe::engine {
namespace {

class Launch : public testing::Test {
   protected:
    void SetUp() override {
        std::string name = std::filesystem::temp_directory_path() / "epe unit 'x' XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    /// Runs a shell script as the program, until it has ended, and returns what it wrote to "out".
    std::string run(const std::string& text, int listener = -1) {
        const std::string program = folder_ + "/program";
        std::ofstream(program) << "#!/bin/sh\ncd \"${0%/*}\" && exec > out\n" << text;
        EXPECT_EQ(chmod(program.c_str(), S_IRWXU), 0);
        const LaunchedSupervisor launched =
            launch_supervisor(program, folder_ + "/parent/own", listener);
        int status = -1;
        EXPECT_EQ(waitpid(launched.pid, &status, 0), launched.pid);
        EXPECT_EQ(status, 0);
        std::ostringstream written;
        written << std::ifstream(folder_ + "/out").rdbuf();
        return written.str();
    }

    std::string folder_{};
};

TEST_F(Launch, NamesItsDescriptorsAndItsFolder) {
    EXPECT_EQ(run(R"(for word; do echo "$word"; done)"),
              "supervise\n" + folder_ + "/parent/own\n3\n");
    const Descriptor listener = listen_at(folder_ + "/socket");
    EXPECT_EQ(run(R"(for word; do echo "$word"; done)", listener.get()),
              "supervise\n" + folder_ + "/parent/own\n3\n4\n");
    struct stat status {};
    ASSERT_EQ(stat((folder_ + "/parent/own").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(Launch, ClosesAllOtherDescriptors) {
    const int left_open = open("/dev/null", O_RDONLY);  // NOLINT: without close-on-exec, as meant
    const int higher = fcntl(left_open, F_DUPFD, 200);
    const char* const list = "for each in /proc/$$/fd/*; do echo \"${each##*/}\"; done\n";
    // The shell itself keeps its script open at about 10 or above.
    const auto standard = [&](int listener) {
        std::istringstream lines(run(list, listener));
        std::vector<int> numbers;
        for (int number = 0; lines >> number;) numbers.push_back(number);
        EXPECT_EQ(std::count(numbers.begin(), numbers.end(), higher), 0);
        return std::count_if(numbers.begin(), numbers.end(), [](int n) { return n < 10; });
    };
    const Descriptor listener = listen_at(folder_ + "/socket");
    EXPECT_EQ(standard(listener.get()) - standard(-1), 1);
    EXPECT_LE(standard(-1), 5);  // 0 to 3, and the script
    close(left_open);
    close(higher);
}

TEST_F(Launch, PassesNoSecretOn) {
    setenv("PGPASSWORD", "secret", 1);
    setenv("LD_PRELOAD_X", "x", 1);
    setenv("LANG", "C.UTF-8", 1);
    setenv("MY_NUM_THREADS", "7", 1);
    const std::string variables = run("env");
    unsetenv("PGPASSWORD");
    unsetenv("LD_PRELOAD_X");
    unsetenv("MY_NUM_THREADS");
    EXPECT_EQ(variables.find("secret"), std::string::npos);
    EXPECT_EQ(variables.find("LD_PRELOAD_X"), std::string::npos);
    EXPECT_EQ(variables.find("MY_NUM_THREADS"), std::string::npos);
    EXPECT_NE(variables.find("LANG=C.UTF-8\n"), std::string::npos);
    EXPECT_NE(variables.find("OMP_NUM_THREADS=1\n"), std::string::npos);
    // Used by later supervisors to find the processes of this one.
    EXPECT_NE(variables.find("OML_EPE_FOLDER=" + folder_ + "/parent/own\n"), std::string::npos);
    EXPECT_NE(variables.find("PATH=/usr/local/bin:/usr/bin:/bin\n"), std::string::npos);
}

TEST_F(Launch, LeadsASessionWithDefaultSignals) {
    struct sigaction before {};
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGUSR1, &ignore, &before);
    sigset_t blocked;
    sigset_t old;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    // Read by the shell itself, which blocks signals while it starts other programs.
    const std::string status = run("while read line; do echo \"$line\"; done < /proc/self/status\n"
                                   "read line < /proc/self/stat; set -- $line; echo $1 $6\n");
    sigset_t now;
    sigprocmask(SIG_SETMASK, &old, &now);
    sigaction(SIGUSR1, &before, nullptr);
    EXPECT_EQ(sigismember(&now, SIGUSR2), 1);  // as before the launch
    EXPECT_EQ(sigismember(&now, SIGTERM), 0);
    EXPECT_NE(status.find("SigBlk:\t0000000000000000"), std::string::npos) << status;
    // 32 and 33 belong to the C library: no program can set them through it.
    constexpr std::uint64_t kOfTheLibrary = std::uint64_t{3} << 31;
    const std::size_t ignored = status.find("SigIgn:\t");
    ASSERT_NE(ignored, std::string::npos) << status;
    EXPECT_EQ(std::stoull(status.substr(ignored + 8), nullptr, 16) & ~kOfTheLibrary, 0U) << status;
    std::istringstream last(status.substr(status.rfind('\n', status.size() - 2)));
    pid_t number = 0;
    pid_t session = -1;
    last >> number >> session;
    EXPECT_EQ(session, number);
}

TEST_F(Launch, HoldsTheOwnersEnd) {
    const std::string program = folder_ + "/program";
    std::ofstream(program) << "#!/bin/sh\nsleep 0.2\n";
    ASSERT_EQ(chmod(program.c_str(), S_IRWXU), 0);
    LaunchedSupervisor launched = launch_supervisor(program, folder_ + "/own", -1);
    pollfd polled{launched.owner.get(), POLLIN, 0};
    EXPECT_EQ(poll(&polled, 1, 50), 0);
    EXPECT_EQ(waitpid(launched.pid, nullptr, 0), launched.pid);
    EXPECT_EQ(poll(&polled, 1, 0), 1);
}

TEST_F(Launch, TellsWhyAProgramCannotRun) {
    for (const std::string& program : {folder_ + "/missing", folder_, std::string("/etc/passwd")}) {
        const ErrorReport report =
            test::error_of("58P01", [&] { launch_supervisor(program, folder_ + "/own", -1); });
        EXPECT_NE(report.message.find(program), std::string::npos);
    }
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child is left
    test::error_of("58P01", [&] { launch_supervisor("/bin/true", folder_ + "/a/b/c", -1); });
}

TEST_F(Launch, ListensForThisUserOnly) {
    const std::string path = folder_ + "/socket";
    std::ofstream(path) << "an earlier file";
    const Descriptor listener = listen_at(path);
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(status.st_mode & 077, 0U);
    const Descriptor connection = connect_to(path);
    EXPECT_TRUE(connection);
    EXPECT_NE(fcntl(connection.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(fcntl(connection.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Launch, FindsNobodyWhereNobodyListens) {
    EXPECT_FALSE(connect_to(folder_ + "/nothing"));
    { const Descriptor listener = listen_at(folder_ + "/socket"); }
    EXPECT_FALSE(connect_to(folder_ + "/socket"));
    test::error_of("22023", [&] { connect_to(folder_ + std::string(200, 'x')); });
    test::error_of("22023", [&] { listen_at(folder_ + std::string(200, 'x')); });
    test::error_of("53000", [&] { listen_at(folder_ + "/no/folder"); });
}

TEST_F(Launch, DoesNotWaitForASupervisorThatAcceptsNobody) {
    const Descriptor listener = listen_at(folder_ + "/socket");
    std::vector<Descriptor> connections;
    for (int i = 0; i < 1000; ++i) {
        connections.push_back(connect_to(folder_ + "/socket"));
        if (!connections.back()) break;
    }
    EXPECT_FALSE(connections.back());
}

}  // namespace
}  // namespace epe::engine
