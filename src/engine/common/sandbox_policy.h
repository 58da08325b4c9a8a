// What an engine is allowed, and which protections are in force: plan and report of its sandbox.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace epe::engine {

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

}  // namespace epe::engine
