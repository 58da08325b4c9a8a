// Confines an engine process, so that untrusted code can use CPU and memory only.
//
// The zygote, alone and before Python starts, calls enter_namespaces() and prepares the
// SystemCallFilter, which takes milliseconds. Every engine that it forks calls confine() when its
// backend is known, before any code of a user. From then on it stays one process (threads are
// allowed), reads the files that Python needs, writes its temporary folder, uses its open
// descriptors and has no other access to the machine, although it runs under the server's own user.
//
// There are three layers of defence. Landlock defines which files may be opened. The filter defines
// which system calls are available, among them those that Landlock does not control: chmod, utime,
// sockets, signals. Namespaces, where the kernel grants them, add a read-only tree, a temporary
// folder with a hard limit that is removed with the process, and no network interface at all.
#pragma once

#include <string>

#include "engine/common/sandbox_policy.h"

namespace epe::engine {

class SystemCallFilter;

/// The namespaces that the zygote, and so each of its engines, has of its own.
struct NamespaceReport {
    bool has_user = false;
    bool has_mount = false;  ///< and may mount
    bool has_ipc = false;
    bool has_uts = false;
    bool has_network = false;  ///< without any interface
    /// Engines can have a user namespace each, with separate counts of a user's resources (Linux
    /// 5.14).
    bool can_count_alone = false;
    std::string detail{};  ///< why not, where something is missing
};

/// Confines this process permanently. Call it with one thread, which may start others afterwards.
///
/// Open descriptors stay usable, so the caller must have closed the ones an engine must not have:
/// above all folders, which bypass the read-only tree. Its environment variables remain readable.
///
/// A protection that the kernel lacks is recorded in the report, not thrown: the caller checks
/// is_complete(). Throws Error when the process must not continue: it has other threads, which
/// would stay unconfined, or a step failed halfway.
///
/// `landlock_abi` is the kernel's; tests lower it.
SandboxReport confine(const SandboxPlan& plan, const NamespaceReport& namespaces,
                      const SystemCallFilter& filter, int landlock_abi);
SandboxReport confine(const SandboxPlan& plan, const NamespaceReport& namespaces,
                      const SystemCallFilter& filter);

/// Limits the number of threads of this process, or, where the kernel counts them together, of all
/// engines of the zygote or of the server's user. To be called once the process has its own
/// threads, since a script elsewhere may have used up the limit. Works in a confined process.
void limit_threads(const NamespaceReport& namespaces, const SandboxReport& report);

}  // namespace epe::engine
