// Tests of engine/sandbox: system calls, the network, and kernels that lack a feature.
#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>
#include <ctime>

#include "engine/sandbox/namespaces.h"
#include "engine/sandbox/sandbox.h"
#include "support/sandbox_support.h"

namespace epe::test {
namespace {

using engine::confine;
using engine::enter_namespaces;
using engine::handled_rights;
using engine::NamespaceReport;
using engine::SandboxReport;

class SandboxCalls : public Sandbox {
   protected:
    template <typename... Arguments>
    int called(long number, Arguments... arguments) const {
        return confined([=] { return result_of(::syscall(number, arguments...)); });
    }
};

TEST_P(SandboxCalls, RefusesNewProcesses) {
    const auto end_child = [](long result) {
        if (result == 0) ::_exit(0);  // a process that should not exist
        return result_of(result);
    };
    EXPECT_EQ(confined([&] { return end_child(::fork()); }), EPERM);
    EXPECT_EQ(confined([&] { return end_child(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }),
              EPERM);
    EXPECT_EQ(confined([&] {
                  return end_child(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
              }),
              EPERM);
    EXPECT_EQ(called(SYS_clone3, nullptr, 0), ENOSYS);
    std::array<char*, 1> none{nullptr};
    EXPECT_EQ(confined([&] { return result_of(::execve("/bin/true", none.data(), none.data())); }),
              EPERM);
}

TEST_P(SandboxCalls, SignalsItselfOnly) {
    EXPECT_EQ(confined([] { return result_of(::kill(::getpid(), 0)); }), 0);
    EXPECT_EQ(confined([] { return result_of(::kill(::getppid(), 0)); }), EPERM);
    EXPECT_EQ(confined([] { return result_of(::kill(-1, 0)); }), EPERM);
    EXPECT_EQ(confined([] { return result_of(::kill(0, 0)); }), EPERM);
    EXPECT_EQ(confined([] { return result_of(::syscall(SYS_tgkill, ::getpid(), ::gettid(), 0)); }),
              0);
    EXPECT_EQ(confined([] { return result_of(::syscall(SYS_tkill, ::getppid(), 0)); }), EPERM);
    EXPECT_EQ(confined([] { return ::raise(SIGTERM); }), kKilled);
    // Through a file's owner.
    EXPECT_EQ(confined([] {
                  std::array<int, 2> ends{};
                  if (::pipe(ends.data()) != 0) return 1;
                  return result_of(::fcntl(ends[0], F_SETOWN, ::getppid()));
              }),
              EPERM);
}

TEST_P(SandboxCalls, IsSignalledFromOutside) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGUSR2, [](int) { ::_exit(7); });
        confine(plan_, {}, prepared_filter());
        if (::write(ends[1], "x", 1) != 1) ::_exit(1);
        for (;;) ::pause();
    }
    char ready = 0;
    ASSERT_EQ(::read(ends[0], &ready, 1), 1);
    ASSERT_EQ(::kill(child, SIGUSR2), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 7);
    for (const int file : ends) ::close(file);
}

TEST_P(SandboxCalls, RefusesWhatNoScriptNeeds) {
    EXPECT_EQ(called(SYS_memfd_create, "x", 0), EPERM);
    EXPECT_EQ(called(SYS_shmget, 1, 4096, 01600), EPERM);
    EXPECT_EQ(called(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0), EPERM);
    EXPECT_EQ(called(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0), EPERM);
    EXPECT_EQ(called(SYS_bpf, 0, nullptr, 0), EPERM);
    EXPECT_EQ(called(SYS_perf_event_open, nullptr, 0, -1, -1, 0), EPERM);
    EXPECT_EQ(called(SYS_keyctl, 0, 0), EPERM);
    EXPECT_EQ(called(SYS_unshare, CLONE_NEWUSER), EPERM);
    EXPECT_EQ(called(SYS_setns, 0, 0), EPERM);
    EXPECT_EQ(called(SYS_mount, "x", "/", "tmpfs", 0, nullptr), EPERM);
    EXPECT_EQ(called(SYS_chroot, "/"), EPERM);
    EXPECT_EQ(called(SYS_userfaultfd, 0), EPERM);
    EXPECT_EQ(called(SYS_io_uring_setup, 1, nullptr), ENOSYS);
    EXPECT_EQ(called(SYS_setuid, ::getuid()), EPERM);
    EXPECT_EQ(called(SYS_setsid), EPERM);
    EXPECT_EQ(called(SYS_personality, 0), EPERM);
    EXPECT_EQ(called(SYS_inotify_init1, 0), EPERM);
    EXPECT_EQ(called(SYS_setpriority, 0, 0, 5), EPERM);
    EXPECT_EQ(called(SYS_sched_setaffinity, ::getpid(), 8, nullptr), EPERM);  // the parent's
    EXPECT_EQ(called(SYS_ioctl, 0, TIOCSTI, "x"), EPERM);
    EXPECT_EQ(called(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0), EPERM);
}

TEST_P(SandboxCalls, RefusesWhatIsCountedForItsUserOrTheMachine) {
    EXPECT_EQ(called(SYS_rt_sigqueueinfo, ::getpid(), 40, nullptr), EPERM);
    EXPECT_EQ(called(SYS_rt_tgsigqueueinfo, ::getpid(), ::getpid(), 40, nullptr), EPERM);
    EXPECT_EQ(confined([] { return result_of(::kill(::getpid(), SIGRTMIN)); }), EPERM);
    EXPECT_EQ(
        confined([] { return result_of(::syscall(SYS_tgkill, ::getpid(), ::gettid(), SIGRTMIN)); }),
        EPERM);
    EXPECT_EQ(called(SYS_timer_create, CLOCK_MONOTONIC, nullptr, nullptr), EPERM);
    EXPECT_EQ(called(SYS_fcntl, 0, F_SETFL, O_ASYNC), EPERM);
    EXPECT_EQ(
        called(SYS_mmap, nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0),
        EPERM);
    EXPECT_EQ(called(SYS_mmap, nullptr, 1 << 21, PROT_READ,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0),
              EPERM);
    EXPECT_EQ(called(SYS_close_range, 1000, 1001, 2 /* CLOSE_RANGE_UNSHARE */), EPERM);
    EXPECT_EQ(called(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FS, 0, 0, 0, 0),
              EPERM);
    EXPECT_EQ(called(SYS_membarrier, 1 /* GLOBAL */, 0, 0), EPERM);
    EXPECT_EQ(called(SYS_membarrier, 0 /* QUERY */, 0, 0), 0);
}

TEST_P(SandboxCalls, LocksNothing) {
    EXPECT_EQ(confined([&] {
                  const std::string file = data() + "/file";
                  const int first = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
                  const int second = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
                  if (::flock(first, LOCK_EX | LOCK_NB) != 0) return errno;
                  if (::flock(second, LOCK_EX | LOCK_NB) != 0) return errno;
                  struct flock range {};
                  range.l_type = F_RDLCK;
                  if (::fcntl(first, F_SETLK, &range) != 0) return errno;
                  return ::fcntl(first, F_OFD_SETLK, &range) != 0 && errno == EINVAL ? 0 : 1;
              }),
              0);
}

#ifdef __x86_64__
TEST_P(SandboxCalls, KillsWhoCallsAnotherArchitecture) {
    EXPECT_EQ(confined([] {
                  long result = 20;  // getpid of i386
                  __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
                  return 0;
              }),
              kKilled);
    EXPECT_EQ(called(0x40000000 + SYS_getpid), kKilled);  // x32
}
#endif

TEST_P(SandboxCalls, HasNoNetwork) {
    EXPECT_EQ(called(SYS_socket, AF_INET, SOCK_STREAM, 0), EPERM);
    EXPECT_EQ(called(SYS_socket, AF_UNIX, SOCK_STREAM, 0), EPERM);
    EXPECT_EQ(called(SYS_socket, AF_NETLINK, SOCK_RAW, 0), EPERM);
    EXPECT_EQ(called(SYS_connect, 0, nullptr, 0), EPERM);
    std::array<int, 2> ends{};
    EXPECT_EQ(called(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    EXPECT_EQ(called(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, ends.data()), EPERM);
}

/// Listens at a free port of the loopback interface.
class Listener {
   public:
    Listener() {
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
        ::listen(socket_, 8);
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { ::close(socket_); }

    std::uint16_t port() const { return port_; }
    static sockaddr_in loopback(std::uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }

   private:
    int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::uint16_t port_ = 0;
};

int connect_to(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return errno;
    const sockaddr_in address = Listener::loopback(port);
    return result_of(
        ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

TEST_P(SandboxCalls, ConnectsToOpenPortsOnly) {
    if (engine::landlock_abi() < engine::kFirstAbiWithNetwork) GTEST_SKIP() << "old Landlock";
    const Listener open;
    const Listener closed;
    plan_.tcp_ports = {open.port()};
    EXPECT_EQ(confined([&] { return connect_to(open.port()); }), 0);
    EXPECT_EQ(confined([&] { return connect_to(closed.port()); }), EACCES);
    EXPECT_EQ(called(SYS_socket, AF_INET, SOCK_DGRAM, 0), EPERM);
    EXPECT_EQ(called(SYS_socket, AF_INET, SOCK_STREAM, 262 /* MPTCP */), EPERM);
    EXPECT_EQ(called(SYS_socket, AF_UNIX, SOCK_STREAM, 0), EPERM);
    EXPECT_EQ(called(SYS_bind, 0, nullptr, 0), EPERM);
    EXPECT_EQ(called(SYS_listen, 0, 1), EPERM);
    EXPECT_EQ(confined([&] {
                  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
                  const sockaddr_in address = Listener::loopback(closed.port());
                  return result_of(::sendto(socket, "x", 1, MSG_FASTOPEN,
                                            reinterpret_cast<const sockaddr*>(&address),
                                            sizeof address));
              }),
              EPERM);
}

TEST_P(SandboxCalls, CannotTellPortsApartWithOldLandlock) {
    plan_.tcp_ports = {443};
    EXPECT_EQ(in_child([&] {
                  const SandboxReport report = confine(plan_, {}, prepared_filter(), 3);
                  return report.is_complete() || report.missing().find("network") != 0 ? 1 : 0;
              }),
              0);
}

TEST_P(SandboxCalls, ConfinesWithEveryVersionOfLandlock) {
    for (int abi = 1; abi <= engine::landlock_abi(); ++abi) {
        EXPECT_EQ(in_child([&] {
                      const auto namespaces =
                          has_namespaces() ? enter_namespaces(false) : NamespaceReport{};
                      const SandboxReport report =
                          confine(plan_, namespaces, prepared_filter(), abi);
                      if (!report.is_complete()) return 1;
                      if (open_result(secret(), O_RDONLY) != EACCES) return 2;
                      if (::truncate(secret().c_str(), 0) == 0) return 3;
                      if (open_result(data() + "/file", O_RDONLY | O_TRUNC) == 0) return 4;
                      return open_result(temp() + "/file", O_CREAT | O_RDWR);
                  }),
                  0)
            << abi;
    }
}

TEST_P(SandboxCalls, IsIncompleteWithoutLandlock) {
    EXPECT_EQ(in_child([&] {
                  const SandboxReport report = confine(plan_, {}, prepared_filter(), 0);
                  return !report.is_complete() && report.missing().find("files") == 0 ? 0 : 1;
              }),
              0);
}

INSTANTIATE_TEST_SUITE_P(All, SandboxCalls, ::testing::Bool(), variant_name);

TEST(SandboxLandlock, HandlesTheRightsOfEachVersion) {
    EXPECT_EQ(handled_rights(0).files, 0U);
    EXPECT_EQ(handled_rights(1).files, 0x1fffU);
    EXPECT_EQ(handled_rights(2).files, 0x3fffU);
    EXPECT_EQ(handled_rights(3).files, 0x7fffU);
    EXPECT_EQ(handled_rights(3).network, 0U);
    EXPECT_EQ(handled_rights(4).files, 0x7fffU);
    EXPECT_EQ(handled_rights(4).network, 3U);
    EXPECT_EQ(handled_rights(5).files, 0xffffU);
    EXPECT_EQ(handled_rights(5).scopes, 0U);
    EXPECT_EQ(handled_rights(6).scopes, 3U);
    EXPECT_EQ(handled_rights(99).files, 0xffffU);
}

/// Makes a system call fail from now on, like a container's profile.
void forbid(long number) {
    std::array<sock_filter, 4> steps = {
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(number)},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    const sock_fprog program{steps.size(), steps.data()};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST(SandboxNamespaces, AreDoneWithoutWhereRefused) {
    for (const long number : {SYS_unshare, SYS_mount}) {
        EXPECT_EQ(in_child([&] {
                      forbid(number);
                      const auto user = ::geteuid();
                      const NamespaceReport report = enter_namespaces(false);
                      if (report.has_user || report.has_mount || report.detail.empty()) return 1;
                      return ::geteuid() == user ? 0 : 2;
                  }),
                  0);
    }
}

TEST(SandboxNamespaces, GiveAnEngineATreeOfItsOwnOrSayWhyNot) {
    char name[] = "/tmp/epe-sandbox-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    EXPECT_EQ(in_child([&] {
                  const NamespaceReport namespaces = enter_namespaces(false);
                  forbid(SYS_mount);  // a profile that changes in between
                  engine::SandboxPlan plan;
                  plan.temp_folder = name;
                  plan.temp_bytes = 1 << 20;
                  const SandboxReport report = confine(plan, namespaces, prepared_filter());
                  for (const engine::Protection& protection : report.protections) {
                      if (protection.name == "read-only tree" && protection.is_enforced) return 1;
                  }
                  if (::chmod(name, 0700) == 0) return 2;
                  return open_result(std::string(name) + "/file", O_CREAT | O_RDWR);
              }),
              0);
    std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace epe::test
