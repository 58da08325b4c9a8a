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

#include <string>

#include "engine/common/sandbox_policy.h"

namespace epe::engine {

class SystemCallFilter;

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
