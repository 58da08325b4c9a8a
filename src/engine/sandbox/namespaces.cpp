// Enters namespaces, in the zygote and in its engines.
#include "engine/sandbox/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "engine/common/descriptor.h"

namespace epe::engine {
namespace {

// glibc of Debian 11 lacks it; the number is the same on every architecture.
constexpr long kMountSetAttributes = 442;
constexpr unsigned kRecursive = 0x8000;
constexpr std::uint64_t kReadOnly = 1;

struct MountAttributes {
    std::uint64_t set;
    std::uint64_t clear;
    std::uint64_t propagation;
    std::uint64_t user_namespace;
};

// Inodes use kernel memory, which the limit on bytes does not count.
constexpr int kMostTempFiles = 16384;

/// Writes one of /proc/self's files. Returns 0 or errno.
int write_file(const char* path, const std::string& text) noexcept {
    const Descriptor file(::open(path, O_WRONLY | O_CLOEXEC));
    if (!file) return errno;
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    return written == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

/// The user and group keep their IDs in the user namespace that was entered.
int map_user(uid_t user, gid_t group) {
    const std::string own_user = std::to_string(user);
    const std::string own_group = std::to_string(group);
    if (const int error = write_file("/proc/self/setgroups", "deny")) return error;
    if (const int error = write_file("/proc/self/uid_map", own_user + " " + own_user + " 1")) {
        return error;
    }
    return write_file("/proc/self/gid_map", own_group + " " + own_group + " 1");
}

/// Enters the namespaces of `flags`, among them a user namespace. Returns 0 or errno; namespaces
/// entered before a failure stay entered.
int enter(int flags) {
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    if (::unshare(flags) != 0) return errno;
    if (const int error = map_user(user, group)) return error;
    // Mounts of this process must not propagate outside. Also the first call that fails where the
    // kernel grants a namespace without its capabilities (AppArmor's restriction of Ubuntu 24.04).
    return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ? 0 : errno;
}

/// Waits for a child that ends with 0 or errno.
int status_of(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

/// Probes whether a process like this one can enter the namespaces and mount: 0 or errno.
int try_in_child(int flags) {
    const pid_t child = ::fork();
    if (child < 0) return errno;
    if (child == 0) {
        int error = enter(flags);
        if (error == 0 && ::mount("tmpfs", "/", "tmpfs", 0, "size=4096") != 0) error = errno;
        ::_exit(error);
    }
    return status_of(child);
}

/// Probes whether engines forked from a process in the namespaces of `flags` can have a user
/// namespace each in which the kernel counts their threads separately: 0 or errno. Before Linux
/// 5.14, all processes of the user count everywhere, and the fork at the end fails.
int try_own_user_in_child(int flags) {
    const pid_t child = ::fork();
    if (child < 0) return errno;
    if (child == 0) {
        int error = enter(flags);
        if (error == 0) error = enter_own_user();
        rlimit processes{};
        if (error == 0 && ::getrlimit(RLIMIT_NPROC, &processes) != 0) error = errno;
        processes.rlim_cur = std::min<rlim_t>(processes.rlim_max, 2);
        if (error == 0 && ::setrlimit(RLIMIT_NPROC, &processes) != 0) error = errno;
        if (error != 0) ::_exit(error);
        const pid_t counted = ::fork();
        if (counted == 0) ::_exit(0);
        ::_exit(counted < 0 ? errno : 0);
    }
    return status_of(child);
}

int set_mount(const char* path, unsigned flags, const MountAttributes& attributes) noexcept {
    return ::syscall(kMountSetAttributes, AT_FDCWD, path, flags, &attributes, sizeof attributes) ==
                   0
               ? 0
               : errno;
}

}  // namespace

NamespaceReport enter_namespaces(bool with_network) {
    constexpr int kLeast = CLONE_NEWUSER | CLONE_NEWNS;
    constexpr int kUsual = kLeast | CLONE_NEWIPC | CLONE_NEWUTS;
    NamespaceReport report;
    for (const int flags : {with_network ? kUsual : kUsual | CLONE_NEWNET, kLeast}) {
        if (const int error = try_in_child(flags)) {
            report.detail = std::strerror(error);
            continue;
        }
        const bool can_count_alone = try_own_user_in_child(flags) == 0;
        if (const int error = enter(flags)) {
            throw Error(sqlstate::kInternal,
                        std::string("could not enter namespaces halfway: ") + std::strerror(error));
        }
        report.has_user = report.has_mount = true;
        report.has_ipc = (flags & CLONE_NEWIPC) != 0;
        report.has_uts = (flags & CLONE_NEWUTS) != 0;
        report.has_network = (flags & CLONE_NEWNET) != 0;
        report.can_count_alone = can_count_alone;
        break;
    }
    return report;
}

int enter_own_user() {
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    if (::unshare(CLONE_NEWUSER) != 0) return errno;
    if (const int error = map_user(user, group)) {
        throw Error(sqlstate::kInternal,
                    std::string("could not map the user of an engine: ") + std::strerror(error));
    }
    return 0;
}

int enter_read_only_tree(const SandboxPlan& plan) {
    const char* const folder = plan.temp_folder.c_str();
    std::string options = "mode=0700,nr_inodes=" + std::to_string(kMostTempFiles);
    if (plan.temp_bytes > 0) options += ",size=" + std::to_string(plan.temp_bytes);
    if (::unshare(CLONE_NEWNS) != 0) return errno;
    // Probe before any change: this call was introduced later (5.12) than the namespaces.
    const MountAttributes read_only{kReadOnly, 0, 0, 0};
    const MountAttributes writable{0, kReadOnly, 0, 0};
    if (const int error = set_mount("/", 0, MountAttributes{})) return error;
    if (::mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) != 0) {
        return errno;
    }
    int error = set_mount("/", kRecursive, read_only);
    if (error == 0) error = set_mount(folder, 0, writable);
    if (error != 0) {
        throw Error(sqlstate::kInternal,
                    std::string("could not make the file tree of an engine read-only: ") +
                        std::strerror(error));
    }
    return 0;
}

}  // namespace epe::engine
