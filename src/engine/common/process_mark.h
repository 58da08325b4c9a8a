// Identity of a process that survives the reuse of process IDs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/common/descriptor.h"

namespace epe::engine {

/// Process ID and start time. A later process with the same ID has another start time.
struct ProcessMark {
    pid_t pid = 0;            ///< 0: no process
    std::uint64_t start = 0;  ///< clock ticks since boot, as field 22 of /proc/PID/stat

    bool operator==(const ProcessMark&) const = default;
};

/// Mark of a process that exists, zombies included.
std::optional<ProcessMark> mark_of(pid_t pid);

/// "PID.START", for names of folders.
std::string to_text(const ProcessMark& mark);
/// Inverse of to_text(); none for other texts.
std::optional<ProcessMark> read_mark(std::string_view text);

/// Pidfd of the marked process. None if that process has ended, zombies included.
Descriptor open_process(const ProcessMark& mark);
/// Pidfd of the process that has this ID now; none if it has ended.
Descriptor open_process(pid_t pid);
bool has_ended(const Descriptor& process) noexcept;
/// Whether a wait status is a SIGKILL or SIGTERM, which do not indicate a fault of the program.
bool was_ended_from_outside(int status) noexcept;
/// No-op without a process.
void send_signal(const Descriptor& process, int number) noexcept;

}  // namespace epe::engine
