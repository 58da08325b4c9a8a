// Tests of engine/sandbox: files, limits and privileges of a confined process.
#include "engine/sandbox/sandbox.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "engine/sandbox/namespaces.h"
#include "support/sandbox_support.h"

namespace epe::test {
namespace {

using engine::confine;
using engine::enter_namespaces;
using engine::NamespaceReport;
using engine::SandboxPlan;
using engine::SandboxReport;

TEST_P(Sandbox, IsComplete) {
    EXPECT_EQ(in_child([&] {
                  const auto namespaces =
                      has_namespaces() ? enter_namespaces(false) : NamespaceReport{};
                  const SandboxReport report = confine(plan_, namespaces, prepared_filter());
                  return report.is_complete() && report.missing().empty() ? 0 : 1;
              }),
              0);
}

TEST_P(Sandbox, ReadsWhatPythonNeeds) {
    for (const char* path : {"/usr/lib", "/usr/share", "/dev/urandom", "/proc/self/status",
                             "/proc/self/maps", "/proc/self/fd", "/proc/thread-self/stat",
                             "/proc/cpuinfo", "/sys/devices/system/cpu/online"}) {
        EXPECT_EQ(confined([&] { return open_result(path, O_RDONLY); }), 0) << path;
    }
    EXPECT_EQ(confined([] { return open_result("/dev/null", O_RDWR); }), 0);
}

TEST_P(Sandbox, ReadsNothingElse) {
    const std::string parent = "/proc/" + std::to_string(::getpid());
    const std::vector<std::string> paths = {"/etc/passwd",
                                            "/",
                                            "/tmp",
                                            "/var",
                                            "/home",
                                            "/dev/shm",
                                            "/proc",
                                            secret(),
                                            parent + "/status",
                                            parent + "/environ",
                                            "/proc/1/status"};
    for (const std::string& path : paths) {
        EXPECT_EQ(confined([&] { return open_result(path, O_RDONLY); }), EACCES) << path;
    }
}

TEST_P(Sandbox, OpensReadPathsForReadingOnly) {
    const std::string file = data() + "/file";
    EXPECT_EQ(confined([&] { return open_result(file, O_RDONLY); }), 0);
    EXPECT_NE(confined([&] { return open_result(file, O_WRONLY); }), 0);
    EXPECT_NE(confined([&] { return open_result(data() + "/new", O_CREAT | O_WRONLY); }), 0);
    EXPECT_NE(confined([&] { return result_of(::unlink(file.c_str())); }), 0);
    EXPECT_NE(confined([&] { return result_of(::link(file.c_str(), (temp() + "/l").c_str())); }),
              0);
}

TEST_P(Sandbox, WritesInTheTemporaryFolder) {
    EXPECT_EQ(confined([&] {
                  const std::string one = temp() + "/one";
                  const std::string two = temp() + "/two";
                  const std::string moved = temp() + "/two/moved";
                  if (const int error = open_result(one, O_CREAT | O_RDWR)) return error;
                  if (::mkdir(two.c_str(), 0700) != 0) return errno;
                  // Without the second version of Landlock a file stays in its folder.
                  if (::rename(one.c_str(), moved.c_str()) != 0 && errno != EXDEV) return errno;
                  if (open_result(temp(), O_RDONLY | O_DIRECTORY) != 0) return errno;
                  ::unlink(moved.c_str());
                  return result_of(::rmdir(two.c_str()));
              }),
              0);
    EXPECT_EQ(confined([&] { return result_of(::mkfifo((temp() + "/fifo").c_str(), 0600)); }),
              EPERM);
}

TEST_P(Sandbox, LeavesNothingBehindWhereItCanMount) {
    EXPECT_EQ(confined([&] { return open_result(temp() + "/left", O_CREAT | O_RDWR); }), 0);
    EXPECT_EQ(std::filesystem::exists(temp() + "/left"), !has_namespaces());
}

TEST_P(Sandbox, CapsTheTemporaryFolder) {
    plan_.temp_bytes = 1 << 20;
    const auto write_files = [&](int count, std::size_t size) {
        return confined([&] {
            ::signal(SIGXFSZ, SIG_IGN);  // like Python
            const std::vector<char> bytes(size, 'x');
            for (int i = 0; i < count; ++i) {
                const std::string path = temp() + "/" + std::to_string(i);
                const int file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
                const ssize_t written = ::write(file, bytes.data(), size);
                if (written < 0) return errno;
                if (static_cast<std::size_t>(written) < size) return ENOSPC;
            }
            return 0;
        });
    };
    EXPECT_EQ(write_files(1, 900 << 10), 0);
    EXPECT_EQ(write_files(1, 2 << 20), ENOSPC);  // cut off
    EXPECT_EQ(write_files(4, 512 << 10), has_namespaces() ? ENOSPC : 0);
}

TEST_P(Sandbox, ChangesNoOtherFileByItsName) {
    const struct stat before = [&] {
        struct stat status {};
        ::stat(secret().c_str(), &status);
        return status;
    }();
    const std::string around = "/proc/" + std::to_string(::getpid()) + "/root";
    for (const std::string& path : {secret(), around + secret()}) {
        const char* const name = path.c_str();
        EXPECT_NE(confined([&] { return result_of(::chmod(name, 0777)); }), 0);
        EXPECT_NE(confined([&] { return result_of(::chown(name, ::getuid(), ::getgid())); }), 0);
        EXPECT_NE(confined([&] { return result_of(::truncate(name, 0)); }), 0);
        EXPECT_NE(confined([&] { return result_of(::utimensat(AT_FDCWD, name, nullptr, 0)); }), 0);
        EXPECT_NE(confined([&] { return result_of(::unlink(name)); }), 0);
        EXPECT_NE(confined([&] { return result_of(::rename(name, (temp() + "/s").c_str())); }), 0);
        EXPECT_NE(confined([&] { return open_result(path, O_WRONLY | O_APPEND); }), 0);
    }
    struct stat after {};
    ASSERT_EQ(::stat(secret().c_str(), &after), 0);
    EXPECT_EQ(after.st_mode, before.st_mode);
    EXPECT_EQ(after.st_size, before.st_size);
    EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

TEST_P(Sandbox, OpensNoHandleThatLandlockOverlooks) {
    EXPECT_EQ(confined([&] { return open_result(secret(), 3); }), EPERM);
    EXPECT_EQ(confined([&] { return open_result(secret(), 3 | O_TRUNC); }), EPERM);
    EXPECT_EQ(confined([&] { return open_result(data() + "/file", O_RDONLY | O_TRUNC); }), EPERM);
    EXPECT_EQ(confined([] { return result_of(::syscall(SYS_openat2, 0, "/", nullptr, 0)); }),
              ENOSYS);
}

TEST_P(Sandbox, ChangesModesOfItsOwnFilesWhereNoOtherCanChange) {
    EXPECT_EQ(confined([&] {
                  const std::string path = temp() + "/file";
                  if (const int error = open_result(path, O_CREAT | O_RDWR)) return error;
                  return result_of(::chmod(path.c_str(), 0640));
              }),
              has_namespaces() ? 0 : EPERM);
}

TEST_P(Sandbox, LimitsMemory) {
    plan_.memory_bytes = 64 << 20;
    const auto map = [&](std::size_t size, int kind) {
        return confined([&] {
            void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                        kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            return memory == MAP_FAILED ? errno : 0;
        });
    };
    EXPECT_EQ(map(32 << 20, MAP_PRIVATE), 0);
    EXPECT_EQ(map(128 << 20, MAP_PRIVATE), ENOMEM);
    EXPECT_EQ(map(128 << 20, MAP_SHARED), ENOMEM);
}

TEST_P(Sandbox, CannotRaiseItsLimits) {
    plan_.memory_bytes = 64 << 20;
    EXPECT_EQ(confined([] {
                  rlimit core{};
                  ::getrlimit(RLIMIT_CORE, &core);
                  if (core.rlim_max > 1) return 1;
                  const rlimit more{RLIM_INFINITY, RLIM_INFINITY};
                  return result_of(::setrlimit(RLIMIT_AS, &more));
              }),
              EPERM);
    EXPECT_EQ(confined([] {
                  const rlimit none{0, 0};
                  return result_of(::prlimit(::getppid(), RLIMIT_NOFILE, &none, nullptr));
              }),
              EPERM);
}

/// Queued signals of this process's user, as counted for the process.
int queued_signals() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("SigQ:")) return std::atoi(line.c_str() + 5);
    return -1;
}

TEST_P(Sandbox, QueuesFewSignals) {
    EXPECT_EQ(confined([&] {
                  constexpr std::uint64_t kCancel = std::uint64_t{1} << 31;  // glibc hides it
                  ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &kCancel, nullptr, sizeof kCancel);
                  const int before = queued_signals();
                  int sent = 0;
                  while (sent < 1000 && ::syscall(SYS_tgkill, ::getpid(), ::getpid(), 32) == 0)
                      ++sent;
                  if (errno != EAGAIN) return 1;
                  // In a namespace of its own, the whole limit is available.
                  if (has_namespaces() && (before != 0 || sent != 64)) return 2;
                  return queued_signals() <= std::max(before, 64) ? 0 : 3;
              }),
              0);
}

TEST_P(Sandbox, IsCountedAloneWhereTheKernelDoesSo) {
    EXPECT_EQ(in_child([&] {
                  const auto namespaces =
                      has_namespaces() ? enter_namespaces(false) : NamespaceReport{};
                  const SandboxReport report = confine(plan_, namespaces, prepared_filter());
                  if (report.is_counted_alone != namespaces.can_count_alone) return 1;
                  for (const engine::Protection& each : report.protections)
                      if (each.name == "limits per user")
                          return each.is_enforced == report.is_counted_alone ? 0 : 2;
                  return 3;
              }),
              0);
}

TEST_P(Sandbox, HasNoPrivileges) {
    EXPECT_EQ(confined([] {
                  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
                  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
                  if (::syscall(SYS_capget, &header, data) != 0) return errno;
                  for (const auto& word : data) {
                      if ((word.permitted | word.effective | word.inheritable) != 0) return 1;
                  }
                  return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
              }),
              0);
}

TEST_P(Sandbox, KeepsItsUser) {
    const auto user = ::geteuid();
    const auto group = ::getegid();
    EXPECT_EQ(confined([&] { return ::geteuid() == user && ::getegid() == group ? 0 : 1; }), 0);
}

TEST_P(Sandbox, DiesFirstWhenMemoryRunsOut) {
    EXPECT_EQ(confined([] {
                  const int file = ::open("/proc/self/oom_score_adj", O_RDONLY);
                  char text[8]{};
                  if (::read(file, text, sizeof text - 1) < 0) return errno;
                  return std::string(text) == "1000\n" ? 0 : 1;
              }),
              0);
}

TEST_P(Sandbox, StartsThreadsAfterwards) {
    EXPECT_EQ(confined([] {
                  int result = 1;
                  std::thread([&] { result = open_result("/etc/passwd", O_RDONLY); }).join();
                  return result;
              }),
              EACCES);
}

TEST_P(Sandbox, RefusesAProcessWithThreads) {
    EXPECT_EQ(in_child([&] {
                  std::jthread other([](const std::stop_token& stop) {
                      while (!stop.stop_requested()) std::this_thread::yield();
                  });
                  try {
                      confine(plan_, {}, prepared_filter());
                  } catch (const Error&) {
                      return 0;
                  }
                  return 1;
              }),
              0);
}

TEST_P(Sandbox, MapsMemoryThatItIsSent) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const int memory = ::memfd_create("batch", MFD_CLOEXEC);
    ASSERT_EQ(::ftruncate(memory, 4096), 0);
    char byte = 'x';
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_len = CMSG_LEN(sizeof(int));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    std::memcpy(CMSG_DATA(header), &memory, sizeof memory);
    ASSERT_EQ(::sendmsg(ends[0], &message, 0), 1);

    EXPECT_EQ(confined([&] {
                  if (::recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC) != 1) return errno;
                  int received = -1;
                  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
                  void* const at =
                      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, received, 0);
                  if (at == MAP_FAILED) return errno;
                  std::memcpy(at, "seen", 5);
                  return 0;
              }),
              0);
    std::array<char, 5> text{};
    EXPECT_EQ(::pread(memory, text.data(), text.size(), 0), 5);
    EXPECT_STREQ(text.data(), "seen");
    for (const int file : {ends[0], ends[1], memory}) ::close(file);
}

INSTANTIATE_TEST_SUITE_P(All, Sandbox, ::testing::Bool(), variant_name);

}  // namespace
}  // namespace epe::test
