// A user namespace and a file tree of an engine's own.
#pragma once

#include <string>

#include "engine/sandbox/sandbox.h"

namespace epe::engine {

/// Gives this process, which is alone in it, a user namespace below the zygote's: what the kernel
/// limits per user it counts there anew. Returns 0, or errno with nothing changed. Throws Error
/// when it fails halfway.
int enter_own_user();

/// Makes the whole tree read-only to this process, but for a file system in memory on the plan's
/// temporary folder. Needs the zygote's mount namespace. Returns 0, or errno with the tree as it
/// was. Throws Error when it fails halfway.
int enter_read_only_tree(const SandboxPlan& plan);

}  // namespace epe::engine
