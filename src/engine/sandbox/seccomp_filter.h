// Seccomp filter: an allowlist of the system calls of a confined engine.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <array>
#include <vector>

#include "engine/common/descriptor.h"

namespace epe::engine {

/// How the filter must handle operations that Landlock does not control.
struct FilterChoice {
    bool with_network = false;  ///< TCP client sockets; Landlock names the ports
    /// Everything except the temporary folder is mounted read-only. If not, chmod, utime by path
    /// and truncate are refused: Landlock does not protect the server's own files from them.
    bool is_tree_read_only = false;
    /// EPOLL_CTL_ADD is decided by the owner of the filter's listener: see watch_guard.h.
    bool has_watch_guard = false;
};

/// The filter, ready to load: prepared once in the zygote since libseccomp takes milliseconds,
/// loaded in each engine within microseconds.
///
/// A process may signal and limit itself only, so its process ID is part of the filter. The
/// prepared programs hold a placeholder for it.
class SystemCallFilter {
   public:
    /// Throws Error when libseccomp fails. On a kernel without filters load() returns ENOSYS.
    static SystemCallFilter prepare();

    /// Confines this process and its future threads and returns 0, or errno with nothing changed.
    /// No-new-privileges must be set. With a watch guard, `listener` receives the filter's
    /// listener.
    int load(const FilterChoice& choice, Descriptor& listener) const;

   private:
    using Program = std::vector<sock_filter>;

    SystemCallFilter() = default;
    static std::size_t index_of(const FilterChoice& choice) noexcept;
    static Program build(const FilterChoice& choice);

    std::array<Program, 8> programs_{};
    int error_ = 0;  ///< of the kernel; nonzero: no programs
};

}  // namespace epe::engine
