// The namespaces of a zygote; a user namespace and a file tree for an engine.
#pragma once

#include <string>

#include "engine/sandbox/sandbox.h"

namespace epe::engine {

/// Moves this process into namespaces of its own where the kernel allows it, and returns which
/// ones. Its user and group keep their IDs; other IDs, root's included, are unknown inside. With
/// `with_network` the network stays the machine's, for engines with TCP ports.
///
/// Call it with one thread. A child tries it first, so that a kernel that refuses halfway leaves
/// this process unchanged. Throws Error only if a step fails that succeeded in the child.
NamespaceReport enter_namespaces(bool with_network);

/// Moves this process, alone, into a user namespace below the zygote's, in which the kernel counts
/// the limits per user separately. Returns 0, or errno with nothing changed. Throws Error when it
/// fails halfway.
int enter_own_user();

/// Makes the whole tree read-only for this process, except for a file system in memory on the
/// plan's temporary folder. Needs the zygote's mount namespace. Returns 0, or errno with the tree
/// unchanged. Throws Error when it fails halfway.
int enter_read_only_tree(const SandboxPlan& plan);

}  // namespace epe::engine
