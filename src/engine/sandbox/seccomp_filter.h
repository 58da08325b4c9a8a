// Which system calls a confined engine may make: a seccomp filter, an allowlist.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <array>
#include <vector>

#include "engine/common/descriptor.h"

namespace epe::engine {

/// How the filter must treat what Landlock does not control.
struct FilterChoice {
    bool with_network = false;  ///< TCP client sockets; Landlock names the ports
    /// Everything but the temporary folder is mounted read-only. If not, chmod, utime by path and
    /// truncate are refused: no Landlock stands between them and the server's own files.
    bool is_tree_read_only = false;
    /// EPOLL_CTL_ADD is left to who has the filter's listener: see watch_guard.h.
    bool has_watch_guard = false;
};

/// The filter, ready to load: made once in the zygote since libseccomp takes milliseconds, loaded
/// in each engine within microseconds.
///
/// A process may signal and limit itself only, so its number is part of the filter. The prepared
/// programs hold a placeholder in its place.
class SystemCallFilter {
   public:
    /// Throws Error when libseccomp fails.
    static SystemCallFilter prepare();

    /// Binds this process and its future threads and returns 0, or errno: then nothing has changed.
    /// No-new-privileges must be set. With a watch guard the filter's listener comes in `listener`.
    int load(const FilterChoice& choice, Descriptor& listener) const;

   private:
    using Program = std::vector<sock_filter>;

    SystemCallFilter() = default;
    static std::size_t index_of(const FilterChoice& choice) noexcept;
    static Program build(const FilterChoice& choice);

    std::array<Program, 8> programs_{};
};

}  // namespace epe::engine
