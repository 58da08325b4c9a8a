// Background workers of the server.
#pragma once

#include <cstdint>

namespace epe::pg {

/// Whether background workers may be registered now: the library is being loaded by
/// shared_preload_libraries, and not for pg_upgrade, whose servers must not be changed by other
/// processes.
bool may_register_workers() noexcept;
/// Registers a worker whose main function is the C symbol `function`, if allowed; else a no-op. A
/// leaf.
void register_worker(const char* name, const char* function) noexcept;
/// True when the server has loaded the library like this and so runs the worker.
bool has_worker() noexcept;

/// The result of a worker's wait.
enum class WorkerEvent : std::uint8_t {
    kNothing,  ///< the descriptor is ready, or the timeout has expired
    kReload,   ///< the settings have been reloaded
    kStop,     ///< it must end
};

/// To be called first in a worker's main function. A leaf.
void start_worker() noexcept;
/// Waits until a descriptor (-1: none) is readable or the timeout (-1: no limit) expires. The
/// process ends when the postmaster dies. A leaf.
WorkerEvent wait_in_worker(int descriptor, long milliseconds) noexcept;
/// Writes a line to the server's log. A leaf.
void log_in_worker(const char* text) noexcept;
/// Ends the worker, so that the postmaster restarts it a second later, unless the server stops.
[[noreturn]] void end_worker() noexcept;

}  // namespace epe::pg
