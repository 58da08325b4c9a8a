// The system call filters that the kernel and libseccomp support.
#pragma once

namespace epe::engine {

/// 0 if the kernel has filters that end a process, without which libseccomp builds none; else the
/// error: ENOSYS if it has none at all.
int missing_filters() noexcept;

/// Whether filters can have listeners.
bool can_listen() noexcept;

}  // namespace epe::engine
