// One engine in the supervisor.
#include "engine/supervisor/supervised_engine.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace epe::engine {

StatusMapping::StatusMapping(int descriptor) noexcept {
    struct stat file {};
    if (fstat(descriptor, &file) != 0 || file.st_size != static_cast<off_t>(kStatusPageSize) ||
        (fcntl(descriptor, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
        return;
    void* const mapped =
        mmap(nullptr, kStatusPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (mapped == MAP_FAILED) return;
    // Zygotes are forks of this process, and engines are forks of zygotes: untrusted code must
    // neither read nor change the activity of other sessions here.
    if (madvise(mapped, kStatusPageSize, MADV_DONTFORK) != 0) {
        munmap(mapped, kStatusPageSize);
        return;
    }
    page_ = static_cast<StatusPage*>(mapped);
}

StatusMapping::~StatusMapping() {
    if (page_ != nullptr) munmap(page_, kStatusPageSize);
}

bool SupervisedEngine::is_idle() const noexcept {
    return phase == EnginePhase::kRunning && status.page() != nullptr &&
           status.page()->state.load() == EngineState::kIdle;
}

bool SupervisedEngine::is_ending() const noexcept {
    return is_forgotten ||
           (status.page() != nullptr && status.page()->state.load() == EngineState::kRetired);
}

std::int64_t SupervisedEngine::idle_since() const noexcept { return status.page()->since; }

bool SupervisedEngine::retire() noexcept {
    if (phase != EnginePhase::kRunning || status.page() == nullptr) return false;
    EngineState expected = EngineState::kIdle;
    if (!status.page()->state.compare_exchange_strong(expected, EngineState::kRetired))
        return false;
    kill();
    return true;
}

void SupervisedEngine::signal(int number) const noexcept {
    if (process) (void)syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
}

void SupervisedEngine::kill() const noexcept { signal(SIGKILL); }

void SupervisedEngine::await_end() const noexcept {
    constexpr int kMostMilliseconds = 1000;
    pollfd end{process.get(), POLLIN, 0};
    if (process) (void)poll(&end, 1, kMostMilliseconds);
}

bool SupervisedEngine::is_reaped() const noexcept {
    // By the descriptor: the process ID may have been reused.
    return process && syscall(SYS_pidfd_send_signal, process.get(), 0, nullptr, 0) != 0 &&
           errno == ESRCH;
}

std::string SupervisedEngine::take_stack_text() {
    constexpr std::size_t kLongest = std::size_t{64} << 10;
    std::string text;
    std::array<char, 4096> piece{};
    while (stack && text.size() < kLongest) {
        const ssize_t count = read(stack.get(), piece.data(), piece.size());
        if (count <= 0) break;
        text.append(piece.data(), static_cast<std::size_t>(count));
    }
    return text;
}

EngineRow SupervisedEngine::describe(std::int32_t backend) const {
    EngineRow row;
    row.pid = pid;
    row.backend = backend;
    row.environment = std::filesystem::path(order.kind.environment).filename().string();
    row.state = phase == EnginePhase::kQueued    ? "queued"
                : phase == EnginePhase::kForking ? "starting"
                                                 : "busy";
    std::int64_t pages = 0;
    std::ifstream sizes("/proc/" + std::to_string(pid) + "/statm");
    if (pid > 0 && sizes >> pages >> pages)
        row.memory = pages * static_cast<std::int64_t>(sysconf(_SC_PAGESIZE));
    const StatusPage* const page = status.page();
    if (page == nullptr) return row;
    if (is_idle()) row.state = "idle";
    if (page->state.load() == EngineState::kRetired) row.state = "ending";
    // The backend may be writing: retry a few times, then use the current contents.
    for (int tries = 0; tries < 100; ++tries) {
        const std::uint32_t before = page->sequence.load();
        row.role = page->role;
        row.database = page->database;
        row.since = page->since;
        row.script.assign(page->script, strnlen(page->script, sizeof(page->script)));
        if (before % 2 == 0 && page->sequence.load() == before) break;
    }
    row.rows_in = page->rows_in.load();
    row.rows_out = page->rows_out.load();
    return row;
}

}  // namespace epe::engine
