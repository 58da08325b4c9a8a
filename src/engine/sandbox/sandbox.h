// Confines an engine process, so that a stranger's script can do no more than compute.
//
// The story: the zygote, alone and before Python starts, calls enter_namespaces() and prepares the
// SystemCallFilter, which takes milliseconds. Every engine that it forks calls confine() when it
// knows whom it serves, before any code of a user. From then on it stays one process (threads are
// allowed), reads what Python needs, writes its temporary folder, talks over what it has open and
// reaches nothing else of the machine, though it runs under the server's own user.
//
// Three walls stand behind each other. Landlock says which files may be opened. The filter says
// which system calls exist, among them those that Landlock overlooks: chmod, utime, sockets,
// signals. Namespaces, where the kernel grants them, add a read-only tree, a temporary folder with
// a true cap that vanishes with the process, and no network interface at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace epe::engine {

class SystemCallFilter;

/// What an engine may do beyond the least, and its limits.
struct SandboxPlan {
    /// Files and folders that may be read, beside the system's Python: an environment, data that a
    /// superuser opened. Those that do not exist are skipped.
    std::vector<std::string> read_paths{};
    /// TCP ports, of any host, that may be connected to; empty: no network. Names are resolved from
    /// /etc/hosts only, or over TCP where 53 is among the ports and RES_OPTIONS=use-vc is set.
    std::vector<std::uint16_t> tcp_ports{};
    /// An existing folder, the only writable place. The caller sets HOME, TMPDIR and the working
    /// directory (afterwards: a file system may be mounted here).
    std::string temp_folder{};
    std::uint64_t temp_bytes = 0;  ///< of all files together, or of each without a mount; 0: no cap
    /// Address space beyond what is mapped when confine() is called; 0: no limit. Mapped batches
    /// and the stacks of threads (usually 8 MB each) count.
    std::uint64_t memory_bytes = 0;
    int niceness = 0;  ///< the nice value itself, up to 19; lower than now has no effect
    /// A connection to the guard of watches (watch_guard.h), which is used up; -1: none.
    int guard_socket = -1;
    std::int32_t guard = 0;  ///< its process
};

/// One protection: whether it is in force in this process, and what it is or why it is not.
struct Protection {
    std::string name{};
    bool is_enforced = false;
    bool is_needed = false;  ///< without it no stranger's script may run
    std::string detail{};
};

struct SandboxReport {
    std::vector<Protection> protections{};
    /// The kernel counts threads, queued signals and locked memory of this process by themselves,
    /// not together with those of other processes of its user.
    bool is_counted_alone = false;

    /// Whether all needed protections are in force.
    bool is_complete() const noexcept;
    /// The needed protections that are missing, for an error's detail; empty if complete.
    std::string missing() const;
};

/// Which namespaces of its own the zygote, and so each of its engines, has.
struct NamespaceReport {
    bool has_user = false;
    bool has_mount = false;  ///< and may mount
    bool has_ipc = false;
    bool has_uts = false;
    bool has_network = false;  ///< without any interface
    /// Engines can have a user namespace each, and the kernel counts what a user takes in each
    /// (Linux 5.14) of them.
    bool can_count_alone = false;
    std::string detail{};  ///< why not, where something is missing
};

/// Gives this process namespaces of its own where the kernel lets it, and tells which. Its user and
/// group keep their numbers; other numbers, root's included, are not known inside. With
/// `with_network` the network stays that of the machine, for engines with TCP ports.
///
/// Call it with one thread. The attempt is made in a child first, so that a kernel that refuses
/// halfway leaves this process as it was. Throws Error only if a step fails that the child could
/// do.
NamespaceReport enter_namespaces(bool with_network);

/// Confines this process, for good. Call it with one thread, which may start others afterwards.
///
/// What is open stays usable, so the caller has closed what an engine must not have: above all
/// folders, which lead around the read-only tree. Its environment variables remain readable.
///
/// A protection that the kernel lacks is told in the report, not thrown: the caller decides by
/// is_complete(). Throws Error when the process must not go on: it has other threads, which would
/// stay free, or a step failed halfway.
///
/// `landlock_abi` is the kernel's; tests lower it.
SandboxReport confine(const SandboxPlan& plan, const NamespaceReport& namespaces,
                      const SystemCallFilter& filter, int landlock_abi);
SandboxReport confine(const SandboxPlan& plan, const NamespaceReport& namespaces,
                      const SystemCallFilter& filter);

/// Limits the threads of this process: its own, or, where the kernel counts them together, those of
/// all engines of the zygote or of the server's user. To be called once the process has the threads
/// that it needs, since a script elsewhere may have used them all up. Works in a confined process.
void limit_threads(const NamespaceReport& namespaces, const SandboxReport& report);

}  // namespace epe::engine
