// A background worker of the server, as far as its body needs one.
#pragma once

#include <cstdint>

namespace epe::pg {

/// Whether background workers may be registered now: the library is being loaded by
/// shared_preload_libraries, and not for pg_upgrade, whose servers nothing may change but itself.
bool may_register_workers() noexcept;
/// Registers the worker whose body is the C symbol `function`, when it may; else nothing. A leaf.
void register_worker(const char* name, const char* function) noexcept;
/// True when the server has loaded the library so, and so keeps the worker.
bool has_worker() noexcept;

/// What a worker waits for.
enum class WorkerEvent : std::uint8_t {
    kNothing,  ///< the descriptor is ready, or the time is over
    kReload,   ///< the settings have been read again
    kStop,     ///< it must end
};

/// To be called first in a worker's body. A leaf.
void start_worker() noexcept;
/// Waits until a descriptor (-1: none) can be read or that much time has passed (-1: no limit).
/// The process ends when the postmaster is gone. A leaf.
WorkerEvent wait_in_worker(int descriptor, long milliseconds) noexcept;
/// Writes a line to the server's log. A leaf.
void log_in_worker(const char* text) noexcept;
/// Ends the worker, so that the postmaster starts it again a second later, unless it stops.
[[noreturn]] void end_worker() noexcept;

}  // namespace epe::pg
