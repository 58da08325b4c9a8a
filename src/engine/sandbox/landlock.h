// Landlock: the files and ports that a confined engine may access.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/common/descriptor.h"
#include "engine/sandbox/sandbox.h"

namespace epe::engine {

/// The Landlock version of the running kernel; 0 without one.
int landlock_abi() noexcept;

/// All rights that a version of Landlock knows. Unhandled rights are not restricted.
struct HandledRights {
    std::uint64_t files = 0;
    std::uint64_t network = 0;  ///< TCP only
    std::uint64_t scopes = 0;   ///< signals and abstract Unix sockets
};
HandledRights handled_rights(int abi) noexcept;

/// Version that introduced rules for ports.
inline constexpr int kFirstAbiWithNetwork = 4;

/// Restricts this thread and its future children to the plan. Returns 0, or errno with nothing
/// restricted. No-new-privileges must be set.
int restrict_files_and_ports(const SandboxPlan& plan, int abi);

}  // namespace epe::engine
