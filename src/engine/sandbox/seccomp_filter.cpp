// Builds the system call filter with libseccomp and loads it.
//
// Calls that are not listed fail with EPERM. A condition compares 64 bits of an argument although
// the kernel may read 32 of them: in an allowlist, a mismatch only refuses.
#include "engine/sandbox/seccomp_filter.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>

#include "core/error.h"
#include "engine/common/descriptor.h"
#include "engine/sandbox/filter_support.h"

namespace epe::engine {
namespace {

// No process has this ID (the kernel's limit is 2^22), and no other condition has this value.
constexpr std::uint32_t kPidPlaceholder = 0x7e5a11ed;
constexpr std::uint64_t kSocketTypeFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;
constexpr std::uint64_t kAllOfInt = 0xffffffff;

// Open files, names below the temporary folder (Landlock), memory, threads, time.
constexpr const char* kAllowed[] = {
    // files
    "read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2",
    "pwritev2", "lseek", "close", "dup", "dup2", "dup3", "creat", "stat", "lstat", "fstat",
    "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2", "getdents",
    "getdents64", "getcwd", "chdir", "fchdir", "readlink", "readlinkat", "umask", "rename",
    "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "symlink",
    "symlinkat", "link", "linkat", "ftruncate", "fadvise64", "readahead", "fsync", "fdatasync",
    "sync_file_range", "sendfile", "copy_file_range", "getxattr", "lgetxattr", "fgetxattr",
    "listxattr", "llistxattr", "flistxattr",
    // waiting and pipes
    "select", "pselect6", "poll", "ppoll", "epoll_create", "epoll_create1", "epoll_wait",
    "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "signalfd", "signalfd4", "pipe", "pipe2",
    "timerfd_create", "timerfd_settime", "timerfd_gettime",
    // memory
    "brk", "munmap", "mremap", "mprotect", "msync", "mincore", "get_mempolicy", "mseal",
    // threads
    "futex", "futex_waitv", "set_robust_list", "set_tid_address", "rseq", "gettid", "getcpu",
    "arch_prctl", "exit", "exit_group", "restart_syscall", "sched_yield", "sched_getaffinity",
    "sched_getparam", "sched_getscheduler", "sched_getattr", "sched_get_priority_max",
    "sched_get_priority_min", "sched_rr_get_interval", "getpriority", "ioprio_get",
    // time
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
    "times", "alarm", "pause", "getitimer", "setitimer",
    // the timer that the engine created before the filter (each takes a place in the signal queue)
    "timer_settime", "timer_gettime", "timer_getoverrun",
    // signals: its own handlers
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend",
    "rt_sigtimedwait", "sigaltstack",
    // information about the process and the machine
    "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid",
    "getgroups", "getpgid", "getpgrp", "getsid", "capget", "uname", "sysinfo", "getrusage",
    "getrlimit", "setrlimit", "getrandom", "wait4", "waitid",
    // sockets that are open already
    "recvmsg", "recvfrom", "recvmmsg", "shutdown", "getsockopt", "getsockname", "getpeername"};

// glibc and other libraries probe for these and fall back when they are missing.
constexpr const char* kMissing[] = {"clone3",         "openat2",         "pidfd_open",
                                    "io_uring_setup", "io_uring_enter",  "io_uring_register",
                                    "fchmodat2",      "process_madvise", "memfd_secret",
                                    "cachestat",      "map_shadow_stack"};

// Not controlled by Landlock (truncate: not before version 3), so only for a tree in which nothing
// except the temporary folder can be changed.
constexpr const char* kAllowedInReadOnlyTree[] = {"chmod", "fchmod", "fchmodat",  "truncate",
                                                  "utime", "utimes", "futimesat", "utimensat"};

// Used by allocators and threads. By number where older headers lack the name.
constexpr std::uint64_t kAdvice[] = {MADV_NORMAL,
                                     MADV_RANDOM,
                                     MADV_SEQUENTIAL,
                                     MADV_WILLNEED,
                                     MADV_DONTNEED,
                                     MADV_FREE,
                                     MADV_DONTFORK,
                                     MADV_DOFORK,
                                     MADV_HUGEPAGE,
                                     MADV_NOHUGEPAGE,
                                     MADV_DONTDUMP,
                                     MADV_DODUMP,
                                     20 /* COLD */,
                                     22 /* POPULATE_READ */,
                                     23 /* POPULATE_WRITE */,
                                     25 /* COLLAPSE */,
                                     102 /* GUARD_INSTALL */,
                                     103 /* GUARD_REMOVE */};

constexpr std::uint64_t kRequests[] = {FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TCGETS, TIOCGWINSZ};

// No F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY: they signal or block other processes. No
// F_ADD_SEALS: a batch is shared. No F_SETPIPE_SZ: pipe capacity is counted for the server's user
// as a whole. F_SETFL and the locks: see allow_file_commands().
constexpr std::uint64_t kFileCommands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,      F_SETFD,
                                           F_GETFL, F_GETLK,         F_GETPIPE_SZ, F_GET_SEALS};

constexpr std::uint64_t kProcessOptions[] = {PR_SET_NAME,      PR_GET_NAME,         PR_GET_DUMPABLE,
                                             PR_GET_SECCOMP,   PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ,
                                             PR_GET_PDEATHSIG, 0x53564d41 /* PR_SET_VMA: names */};

// Options that tune a TCP connection; those that attach programs or protocols are excluded.
struct SocketOption {
    std::uint64_t level;
    std::uint64_t name;
};
constexpr SocketOption kSocketOptions[] = {
    {SOL_SOCKET, SO_KEEPALIVE},      {SOL_SOCKET, SO_LINGER},      {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},       {SOL_SOCKET, SO_REUSEADDR},   {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_KEEPIDLE},     {IPPROTO_TCP, TCP_KEEPINTVL}, {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT}, {IPPROTO_TCP, TCP_QUICKACK},  {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_IPV6, IPV6_V6ONLY}};

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_EQ, value, 0};
}

scmp_arg_cmp equals_in(unsigned argument, std::uint64_t mask, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

scmp_arg_cmp less(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_LT, value, 0};
}

[[noreturn]] void fail(const std::string& what, int error) {
    throw Error(sqlstate::kInternal,
                "could not prepare the system call filter: " + what + ": " + std::strerror(error));
}

/// Collects rules. Several rules for one call are alternatives.
class FilterBuilder {
   public:
    FilterBuilder() {
        if (!context_) fail("seccomp_init", ENOMEM);
        // Calls of another architecture (i386; x32 on x86-64) have other numbers and are never
        // legitimate.
        set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree: read and futex are called often
    }

    void allow(const char* name, std::initializer_list<scmp_arg_cmp> conditions = {}) {
        add(SCMP_ACT_ALLOW, name, conditions);
    }
    void notify(const char* name, std::initializer_list<scmp_arg_cmp> conditions) {
        add(SCMP_ACT_NOTIFY, name, conditions);
    }
    void report_missing(const char* name) { add(SCMP_ACT_ERRNO(ENOSYS), name, {}); }
    /// Makes the call fail with `error`, or succeed without effect when that is 0.
    void answer(const char* name, std::uint32_t error,
                std::initializer_list<scmp_arg_cmp> conditions = {}) {
        add(SCMP_ACT_ERRNO(error), name, conditions);
    }

    std::vector<sock_filter> program() const {
        const Descriptor file(::memfd_create("filter", MFD_CLOEXEC));
        if (!file) fail("memfd_create", errno);
        if (const int result = seccomp_export_bpf(context_.get(), file.get()); result < 0) {
            fail("seccomp_export_bpf", -result);
        }
        const off_t size = ::lseek(file.get(), 0, SEEK_END);
        if (size <= 0) fail("lseek", errno);
        std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
        if (::pread(file.get(), program.data(), static_cast<std::size_t>(size), 0) != size) {
            fail("pread", errno);
        }
        return program;
    }

   private:
    void set(scmp_filter_attr attribute, std::uint32_t value) {
        if (const int result = seccomp_attr_set(context_.get(), attribute, value); result < 0) {
            fail("seccomp_attr_set", -result);
        }
    }

    void add(std::uint32_t action, const char* name,
             std::initializer_list<scmp_arg_cmp> conditions) {
        const int number = seccomp_syscall_resolve_name(name);
        // Newer than libseccomp: stays refused. (Names of other architectures resolve to numbers
        // that the next call skips.)
        if (number == __NR_SCMP_ERROR) return;
        const int result =
            seccomp_rule_add_array(context_.get(), action, number,
                                   static_cast<unsigned>(conditions.size()), conditions.begin());
        if (result < 0) fail(name, -result);
    }

    std::unique_ptr<void, decltype(&seccomp_release)> context_{seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                               &seccomp_release};
};

void allow_opening(FilterBuilder& rules) {
    // Refuses access mode 3, a descriptor for ioctl that Landlock permits for every file but that
    // fchmod and O_TRUNC accept, and O_TRUNC in read-only mode, which truncates before Landlock's
    // version 3.
    const auto allow_flags = [&](const char* name, unsigned argument) {
        rules.allow(name, {equals_in(argument, O_ACCMODE, O_WRONLY)});
        rules.allow(name, {equals_in(argument, O_ACCMODE, O_RDWR)});
        rules.allow(name, {equals_in(argument, O_ACCMODE | O_TRUNC, O_RDONLY)});
    };
    allow_flags("open", 1);
    allow_flags("openat", 2);
}

void allow_threads_only(FilterBuilder& rules) {
    constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                          CLONE_NEWNET;
    // Threads share all that pthread_create() shares. A descriptor table of its own would give each
    // thread the whole RLIMIT_NOFILE; close_range() can make one as well.
    constexpr std::uint64_t kShared =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    constexpr std::uint64_t kUnshareTable = 1 << 1;  // CLOSE_RANGE_UNSHARE
    rules.allow("clone", {equals_in(0, kShared | kNamespaces, kShared)});
    rules.allow("close_range", {equals_in(2, kUnshareTable, 0)});
    // Barriers between the threads of this process, from PRIVATE_EXPEDITED to its registration for
    // RSEQ. The global ones interrupt every processor.
    rules.allow("membarrier", {equals(0, 0 /* QUERY */)});
    for (unsigned bit = 3; bit <= 8; ++bit) {
        rules.allow("membarrier", {equals(0, std::uint64_t{1} << bit)});
    }
}

/// No holes: pages that are punched out of an arena, which no seal prevents, would make the backend
/// end by SIGBUS when memory is short. No huge pages from the machine's pool, which the server's
/// shared memory uses, and no unswappable pages.
void allow_memory(FilterBuilder& rules) {
    rules.allow("mmap", {equals_in(3, MAP_HUGETLB | MAP_LOCKED, 0)});
    for (const std::uint64_t mode : {0, FALLOC_FL_KEEP_SIZE})
        rules.allow("fallocate", {equals(1, mode)});
    for (const std::uint64_t advice : kAdvice) rules.allow("madvise", {equals(2, advice)});
}

/// Signals, limits and processors: of this process only. Other processes of the user are the
/// server's.
///
/// Real-time signals are queued, and the queue's length is counted for the server's user. The only
/// exception is the first one, with which glibc cancels threads; RLIMIT_SIGPENDING bounds it.
void allow_on_itself(FilterBuilder& rules) {
    constexpr std::uint64_t kFirstRealTime = 32;  // the kernel's; SIGRTMIN is glibc's
    rules.allow("kill", {equals(0, kPidPlaceholder), less(1, kFirstRealTime)});
    rules.allow("tgkill", {equals(0, kPidPlaceholder), less(2, kFirstRealTime + 1)});
    for (const char* name : {"prlimit64", "sched_setaffinity"}) {
        rules.allow(name, {equals(0, kPidPlaceholder)});
        rules.allow(name, {equals(0, 0)});
    }
}

/// Locks of files are reported as granted without being set. No other process can write to an
/// engine's files, so a lock would only block readers of shared files, and each locked range takes
/// kernel memory. Open-file-description locks are reported as unknown to the kernel.
void allow_file_commands(FilterBuilder& rules) {
    for (const std::uint64_t command : kFileCommands) rules.allow("fcntl", {equals(1, command)});
    rules.allow("fcntl", {equals(1, F_SETFL), equals_in(2, O_ASYNC, 0)});
    rules.answer("flock", 0);
    for (const std::uint64_t command : {F_SETLK, F_SETLKW})
        rules.answer("fcntl", 0, {equals(1, command)});
    for (const std::uint64_t command : {F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW})
        rules.answer("fcntl", EINVAL, {equals(1, command)});
}

void allow_options(FilterBuilder& rules) {
    for (const std::uint64_t request : kRequests) rules.allow("ioctl", {equals(1, request)});
    for (const std::uint64_t option : kProcessOptions) rules.allow("prctl", {equals(0, option)});
    for (const SocketOption& option : kSocketOptions) {
        rules.allow("setsockopt", {equals(1, option.level), equals(2, option.name)});
    }
    // Kernel memory, which no limit counts. Libraries do not expect a failure.
    for (const std::uint64_t option : {SO_SNDBUF, SO_RCVBUF})
        rules.answer("setsockopt", 0, {equals(1, SOL_SOCKET), equals(2, option)});
}

void allow_sockets(FilterBuilder& rules, bool with_network) {
    // MSG_FASTOPEN connects without a check by Landlock.
    rules.allow("sendto", {equals_in(3, MSG_FASTOPEN, 0)});
    rules.allow("sendmsg", {equals_in(2, MSG_FASTOPEN, 0)});
    rules.allow("socketpair",
                {equals(0, AF_UNIX), equals_in(1, kAllOfInt & ~kSocketTypeFlags, SOCK_STREAM)});
    if (!with_network) return;
    // TCP itself: Landlock does not check the ports of MPTCP, SCTP and SMC, also stream sockets.
    for (const std::uint64_t family : {AF_INET, AF_INET6}) {
        for (const std::uint64_t protocol : {0, int{IPPROTO_TCP}}) {
            rules.allow("socket", {equals(0, family),
                                   equals_in(1, kAllOfInt & ~kSocketTypeFlags, SOCK_STREAM),
                                   equals(2, protocol)});
        }
    }
    rules.allow("connect");
}

void allow_watches(FilterBuilder& rules, bool has_guard) {
    rules.allow("epoll_ctl", {equals(1, EPOLL_CTL_MOD)});
    rules.allow("epoll_ctl", {equals(1, EPOLL_CTL_DEL)});
    if (has_guard) {
        rules.notify("epoll_ctl", {equals(1, EPOLL_CTL_ADD)});
    } else {
        rules.allow("epoll_ctl", {equals(1, EPOLL_CTL_ADD)});
    }
}

}  // namespace

std::size_t SystemCallFilter::index_of(const FilterChoice& choice) noexcept {
    return (choice.with_network ? 1U : 0U) + (choice.is_tree_read_only ? 2U : 0U) +
           (choice.has_watch_guard ? 4U : 0U);
}

SystemCallFilter::Program SystemCallFilter::build(const FilterChoice& choice) {
    FilterBuilder rules;
    for (const char* name : kAllowed) rules.allow(name);
    for (const char* name : kMissing) rules.report_missing(name);
    if (choice.is_tree_read_only) {
        for (const char* name : kAllowedInReadOnlyTree) rules.allow(name);
    } else {
        rules.allow("utimensat", {equals(1, 0)});  // no path: an open file
    }
    allow_opening(rules);
    allow_threads_only(rules);
    allow_memory(rules);
    allow_on_itself(rules);
    allow_file_commands(rules);
    allow_options(rules);
    allow_sockets(rules, choice.with_network);
    allow_watches(rules, choice.has_watch_guard);
    return rules.program();
}

SystemCallFilter SystemCallFilter::prepare() {
    SystemCallFilter filter;
    filter.error_ = missing_filters();
    if (filter.error_ != 0) return filter;
    for (const bool with_network : {false, true}) {
        for (const bool is_tree_read_only : {false, true}) {
            FilterChoice choice{with_network, is_tree_read_only, false};
            filter.programs_[index_of(choice)] = build(choice);
            choice.has_watch_guard = true;
            if (can_listen()) filter.programs_[index_of(choice)] = build(choice);
        }
    }
    return filter;
}

int SystemCallFilter::load(const FilterChoice& choice, Descriptor& listener) const {
    constexpr unsigned long kNewListener = 1 << 3;
    constexpr unsigned long kReportThreads = 1 << 4;    // ESRCH instead of its number
    constexpr unsigned long kWaitUntilKilled = 1 << 5;  // Linux 5.19
    if (error_ != 0) return error_;
    Program program = programs_[index_of(choice)];
    const auto own_pid = static_cast<std::uint32_t>(::getpid());
    for (sock_filter& step : program) {
        // Its upper half is compared with 0, which holds for every process.
        if (step.code == (BPF_JMP | BPF_JEQ | BPF_K) && step.k == kPidPlaceholder) {
            step.k = own_pid;
        }
    }
    const sock_fprog code{static_cast<unsigned short>(program.size()), program.data()};
    if (program.empty()) return EINVAL;
    // TSYNC: fails, instead of leaving it unconfined, if a thread has a filter of its own.
    if (!choice.has_watch_guard) {
        const long result =
            ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &code);
        if (result > 0) return ESRCH;
        return result == 0 ? 0 : errno;
    }
    for (const unsigned long more : {kWaitUntilKilled, 0UL}) {
        const long result =
            ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      SECCOMP_FILTER_FLAG_TSYNC | kReportThreads | kNewListener | more, &code);
        if (result < 0 && errno == EINVAL && more != 0) continue;
        if (result < 0) return errno;
        listener = Descriptor(static_cast<int>(result));
        return 0;
    }
    return EINVAL;
}

}  // namespace epe::engine
