// Which files and ports a confined engine reaches: Landlock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/common/descriptor.h"
#include "engine/sandbox/sandbox.h"

namespace epe::engine {

/// The version of the running kernel's Landlock; 0 without one.
int landlock_abi() noexcept;

/// All rights that a version of Landlock knows. What is not handled is not restricted.
struct HandledRights {
    std::uint64_t files = 0;
    std::uint64_t network = 0;  ///< TCP only
    std::uint64_t scopes = 0;   ///< signals and abstract Unix sockets
};
HandledRights handled_rights(int abi) noexcept;

/// From this version on ports can be told apart.
inline constexpr int kFirstAbiWithNetwork = 4;

/// Restricts this thread, and those that it starts, to the plan. Returns 0, or errno: then nothing
/// is restricted. No-new-privileges must be set.
int restrict_files_and_ports(const SandboxPlan& plan, int abi);

}  // namespace epe::engine
