// The plan and the report of an engine's sandbox: its permissions, and the protections in force.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace epe::engine {

/// An engine's permissions beyond the minimum, and its limits.
struct SandboxPlan {
    /// Readable files and folders in addition to the system's Python: an environment, or data that
    /// a superuser allowed. Those that do not exist are skipped.
    std::vector<std::string> read_paths{};
    /// TCP ports, of any host, that it may connect to; empty: no network. Names are resolved from
    /// /etc/hosts only, or over TCP where 53 is among the ports and RES_OPTIONS=use-vc is set.
    std::vector<std::uint16_t> tcp_ports{};
    /// An existing folder, the only writable place. The caller sets HOME, TMPDIR and the working
    /// directory (afterwards: a file system may be mounted here).
    std::string temp_folder{};
    std::uint64_t temp_bytes = 0;  ///< of all files together, or of each without a mount; 0: no cap
    /// Address space in addition to the memory mapped when confine() is called; 0: no limit. Mapped
    /// batches and the stacks of threads (usually 8 MB each) count.
    std::uint64_t memory_bytes = 0;
    int niceness = 0;  ///< the nice value itself, up to 19; lower than now has no effect
    /// A connection to the guard of watches (watch_guard.h), consumed by the call; -1: none.
    int guard_socket = -1;
    std::int32_t guard = 0;  ///< its process

    bool operator==(const SandboxPlan&) const = default;
};

/// One protection: whether it is in force in this process, and its description or why it is not.
struct Protection {
    std::string name{};
    bool is_enforced = false;
    bool is_needed = false;  ///< mandatory for untrusted scripts
    std::string detail{};
};

struct SandboxReport {
    std::vector<Protection> protections{};
    /// The kernel counts threads, queued signals and locked memory of this process separately from
    /// those of other processes of its user.
    bool is_counted_alone = false;

    /// Whether all needed protections are in force.
    bool is_complete() const noexcept;
    /// The needed protections that are missing, for an error's detail; empty if complete.
    std::string missing() const;
};

}  // namespace epe::engine
