// Confines an engine: user, limits, tree, privileges, Landlock, filter, in this order, since each
// step needs privileges that a later one drops.
#include "engine/sandbox/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/error.h"
#include "engine/common/descriptor.h"
#include "engine/sandbox/landlock.h"
#include "engine/sandbox/namespaces.h"
#include "engine/sandbox/seccomp_filter.h"
#include "engine/sandbox/watch_guard.h"

namespace epe::engine {
namespace {

constexpr rlim_t kSpareFiles = 256;
// Threads are counted per user and user namespace: separately if the engine has its own namespace,
// together with the zygote's engines in the zygote's, else together with the whole server, backends
// included.
constexpr rlim_t kMostThreads = 256;
constexpr rlim_t kMostThreadsPerProcessor = 4;
constexpr rlim_t kMostThreadsOfEngines = 1024;
constexpr rlim_t kMostThreadsOfUser = 4096;
// Counted in the same way. Where signals of other processes count too, an engine at the limit
// cannot queue any, while other processes, whose limit is higher, can.
constexpr rlim_t kMostQueuedSignals = 64;

[[noreturn]] void fail(const char* what, int error) {
    throw Error(sqlstate::kInternal,
                std::string("could not confine an engine: ") + what + ": " + std::strerror(error));
}

void write_quietly(const char* path, std::string_view text) noexcept {
    const Descriptor file(::open(path, O_WRONLY | O_CLOEXEC));
    if (!file) return;
    [[maybe_unused]] const ssize_t written = ::write(file.get(), text.data(), text.size());
}

void require_one_thread() {
    struct stat status {};
    if (::stat("/proc/self/task", &status) != 0) fail("/proc is not mounted", errno);
    // Its links are ".", ".." and one per thread.
    if (status.st_nlink > 3) fail("it has other threads, which would stay unconfined", EBUSY);
}

/// Best effort: an engine yields to the server, in the scheduler and under memory pressure.
void yield_to_server(int niceness) {
    const std::string value = std::to_string(niceness);
    if (niceness != 0) {
        ::setpriority(PRIO_PROCESS, 0, niceness);
        // With a session of its own, niceness applies only inside it: the session's is set as well.
        // Another process's session must not be slowed down.
        if (::getsid(0) == ::getpid()) write_quietly("/proc/self/autogroup", value);
    }
    write_quietly("/proc/self/oom_score_adj", "1000");
}

/// Never raises a limit.
void limit(__rlimit_resource resource, rlim_t value) {
    rlimit now{};
    if (::getrlimit(resource, &now) != 0) fail("getrlimit", errno);
    now.rlim_max = std::min(now.rlim_max, value);  // RLIM_INFINITY is the largest
    now.rlim_cur = now.rlim_max;
    if (::setrlimit(resource, &now) != 0) fail("setrlimit", errno);
}

struct CloseFolder {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

/// The maximum number of an open file.
rlim_t highest_descriptor() {
    const std::unique_ptr<DIR, CloseFolder> folder(::opendir("/proc/self/fd"));
    if (!folder) fail("/proc/self/fd", errno);
    rlim_t highest = 0;
    while (const dirent* const entry = ::readdir(folder.get())) {
        highest = std::max<rlim_t>(highest, std::strtoul(entry->d_name, nullptr, 10));
    }
    return highest;
}

rlim_t mapped_bytes() {
    const Descriptor file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
    char text[128];
    const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
    rlim_t pages = 0;
    if (size <= 0 || std::from_chars(text, text + size, pages).ec != std::errc()) {
        fail("/proc/self/statm", errno);
    }
    return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

void set_limits(const SandboxPlan& plan) {
    // Not 0: that would still run the program that a core pattern may name, as root.
    limit(RLIMIT_CORE, 1);
    limit(RLIMIT_NOFILE, highest_descriptor() + kSpareFiles);
    limit(RLIMIT_SIGPENDING, kMostQueuedSignals);
    for (const auto resource : {RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_RTPRIO, RLIMIT_NICE}) {
        limit(resource, 0);
    }
    if (plan.temp_bytes > 0) limit(RLIMIT_FSIZE, plan.temp_bytes);
    // Address space, since shared anonymous memory escapes RLIMIT_DATA.
    if (plan.memory_bytes > 0) limit(RLIMIT_AS, mapped_bytes() + plan.memory_bytes);
}

/// Drops capabilities: those in the zygote's user namespace, or root's in a test.
void drop_capabilities() {
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    // Without CAP_SETPCAP it fails, and they cannot be regained.
    for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
    if (::syscall(SYS_capset, &header, none) != 0) fail("capset", errno);
}

/// Landlock identifies a process's folder in /proc by its inode, which the kernel drops when memory
/// is scarce and recreates, unknown to the rule. A descriptor that stays open keeps it.
void keep_own_proc_folder() {
    Descriptor folder(::open("/proc/self", O_PATH | O_CLOEXEC));
    if (!folder) fail("/proc/self", errno);
    folder.release();
}

std::string reason(int error, const std::string& if_none) {
    return error == 0 ? if_none : std::strerror(error);
}

std::string file_protection(int error, int abi) {
    if (error == ENOSYS) return "this kernel lacks Landlock; Linux has it from 5.13 on";
    if (error == EOPNOTSUPP) return "Landlock is disabled; add it to the kernel parameter \"lsm\"";
    return reason(error, "Landlock " + std::to_string(abi));
}

std::string call_protection(int error) {
    if (error == ENOSYS)
        return "this kernel lacks system call filters; Linux has them from 4.14 on";
    return reason(error, "seccomp");
}

Protection network_protection(const SandboxPlan& plan, int abi, bool has_landlock,
                              bool has_filter) {
    Protection network{"network", has_filter, true, "none"};
    if (!plan.tcp_ports.empty()) {
        network.is_enforced = has_filter && has_landlock && abi >= kFirstAbiWithNetwork;
        network.detail = network.is_enforced
                             ? "TCP to " + std::to_string(plan.tcp_ports.size()) + " ports"
                             : "the kernel cannot restrict TCP ports (requires Landlock 4)";
    } else if (!has_filter) {
        network.detail = "needs the system call filter";
    }
    return network;
}

void report_limits(SandboxReport& report, const SandboxPlan& plan,
                   const NamespaceReport& namespaces, int tree_error) {
    const bool has_tree = tree_error == 0;
    report.protections.push_back({"read-only tree", has_tree, false, reason(tree_error, "")});
    if (plan.temp_bytes > 0) {
        report.protections.push_back({"temporary folder's size", has_tree, false,
                                      has_tree ? "all files together" : "each file only"});
    }
    if (plan.memory_bytes > 0) {
        report.protections.push_back({"memory limit", true, false, "address space"});
    }
    report.protections.push_back({"namespaces", namespaces.has_user, false, namespaces.detail});
}

/// Continues without the guard where the kernel, or a filter that is in force already, rejects it.
/// If the guard ends meanwhile, the filter refuses new watches.
int load_filter(const SystemCallFilter& filter, FilterChoice& choice, int guard_socket) {
    Descriptor listener;
    int error = filter.load(choice, listener);
    if (error != 0 && choice.has_watch_guard) {
        choice.has_watch_guard = false;
        error = filter.load(choice, listener);
    }
    if (listener) (void)give_listener(guard_socket, std::move(listener));
    return error;
}

}  // namespace

void limit_threads(const NamespaceReport& namespaces, const SandboxReport& report) {
    if (report.is_counted_alone) {
        const auto processors = static_cast<rlim_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
        limit(RLIMIT_NPROC, kMostThreads + kMostThreadsPerProcessor * processors);
    } else {
        limit(RLIMIT_NPROC, namespaces.has_user ? kMostThreadsOfEngines : kMostThreadsOfUser);
    }
}

SandboxReport confine(const SandboxPlan& plan, const NamespaceReport& namespaces,
                      const SystemCallFilter& filter, int landlock_abi) {
    require_one_thread();
    yield_to_server(plan.niceness);
    // Before the limits: the kernel takes the current ones as limits for all such namespaces
    // together.
    const int user_error = namespaces.can_count_alone ? enter_own_user() : EPERM;
    set_limits(plan);
    const int tree_error = namespaces.has_mount ? enter_read_only_tree(plan) : EPERM;
    drop_capabilities();
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs", errno);
    keep_own_proc_folder();
    const int landlock_error = restrict_files_and_ports(plan, landlock_abi);
    FilterChoice choice{!plan.tcp_ports.empty(), tree_error == 0, false};
    // Without an answer, the filter has a listener that no process serves: no watch can be added.
    choice.has_watch_guard = ask_guard(plan.guard_socket, plan.guard) != GuardAnswer::kCannotGuard;
    const int filter_error = load_filter(filter, choice, plan.guard_socket);

    SandboxReport report;
    report.is_counted_alone = user_error == 0;
    report.protections = {
        {"no new privileges", true, true, ""},
        {"files", landlock_error == 0, true, file_protection(landlock_error, landlock_abi)},
        {"system calls", filter_error == 0, true, call_protection(filter_error)},
        network_protection(plan, landlock_abi, landlock_error == 0, filter_error == 0),
    };
    report_limits(report, plan, namespaces, tree_error);
    report.protections.push_back(
        {"limits per user", report.is_counted_alone, false,
         report.is_counted_alone ? "counted for each engine" : "shared with other processes"});
    report.protections.push_back({"epoll watches", choice.has_watch_guard, false,
                                  choice.has_watch_guard
                                      ? std::to_string(kMostWatches) + " for each engine"
                                      : "as many as the server's account may have"});
    return report;
}

SandboxReport confine(const SandboxPlan& plan, const NamespaceReport& namespaces,
                      const SystemCallFilter& filter) {
    return confine(plan, namespaces, filter, landlock_abi());
}

}  // namespace epe::engine
