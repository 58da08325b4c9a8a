// Identity of a process that survives the reuse of process IDs.
#include "engine/common/process_mark.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <charconv>
#include <fstream>
#include <iterator>

namespace epe::engine {

namespace {

/// Field 22 of /proc/PID/stat, counted behind the name, which may hold blanks and parentheses.
std::optional<std::uint64_t> start_in(const std::string& stat) {
    constexpr int kFieldsBefore = 19;  // from the state, field 3, to field 21
    std::size_t place = stat.rfind(')');
    if (place == std::string::npos) return std::nullopt;
    ++place;
    for (int i = 0; i < kFieldsBefore; ++i) {
        place = stat.find(' ', place + 1);
        if (place == std::string::npos) return std::nullopt;
    }
    std::uint64_t start = 0;
    const char* const first = stat.data() + place + 1;
    const auto [end, error] = std::from_chars(first, stat.data() + stat.size(), start);
    if (error != std::errc() || end == first) return std::nullopt;
    return start;
}

}  // namespace

std::optional<ProcessMark> mark_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    const std::string stat{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const std::optional<std::uint64_t> start = start_in(stat);
    if (!start) return std::nullopt;
    return ProcessMark{pid, *start};
}

std::string to_text(const ProcessMark& mark) {
    return std::to_string(mark.pid) + "." + std::to_string(mark.start);
}

std::optional<ProcessMark> read_mark(std::string_view text) {
    ProcessMark mark;
    const char* const end = text.data() + text.size();
    const auto pid = std::from_chars(text.data(), end, mark.pid);
    if (pid.ec != std::errc() || mark.pid < 0 || pid.ptr == end || *pid.ptr != '.')
        return std::nullopt;
    const auto start = std::from_chars(pid.ptr + 1, end, mark.start);
    if (start.ec != std::errc() || start.ptr != end) return std::nullopt;
    return mark;
}

bool has_ended(const Descriptor& process) noexcept {
    pollfd end{process.get(), POLLIN, 0};
    return poll(&end, 1, 0) > 0;
}

Descriptor open_process(pid_t pid) {
    if (pid <= 0) return {};
    Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (process && has_ended(process)) process.close();
    return process;
}

Descriptor open_process(const ProcessMark& mark) {
    Descriptor process = open_process(mark.pid);
    // Compared while the descriptor pins the process, whose ID cannot be reused meanwhile.
    if (process && mark_of(mark.pid) != mark) process.close();
    return process;
}

bool was_ended_from_outside(int status) noexcept {
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
}

void send_signal(const Descriptor& process, int number) noexcept {
    if (process) (void)syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
}

}  // namespace epe::engine
