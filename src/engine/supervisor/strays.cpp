// Handles the processes left by an earlier supervisor of the same owner: engines that still work
// for their sessions, gateways that finish their last requests, and processes that must end at
// once. Also the shutdown of this supervisor.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "engine/common/leftovers.h"
#include "engine/sandbox/watch_guard.h"
#include "engine/supervisor/supervisor_state.h"

namespace epe::engine {

namespace {

pid_t parent_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("PPid:")) return std::atoi(line.c_str() + 5);
    return 0;
}

}  // namespace

/// Called before this supervisor has children: every process of the owner's folder belongs to an
/// earlier one. The owner has at most one supervisor at a time.
void Supervisor::find_strays() {
    const std::string parent = std::filesystem::path(birth_.folder).parent_path().string();
    end_dead_owners(parent);
    const std::vector<EngineRecord> records = engine_records(birth_.folder);
    for (const EngineRecord& record : records)
        strays_.push_back(
            {open_process(record.engine), open_process(record.backend), record.folder});
    for (const GatewayRecord& record : gateway_records(birth_.folder)) {
        strays_.push_back({open_process(record.gateway), {}, record.folder, /* gateway */ true});
        send_signal(strays_.back().process, SIGTERM);
    }
    for (const MarkedProcess& each : marked_processes(parent)) {
        const bool is_recorded =
            std::any_of(records.begin(), records.end(),
                        [&](const EngineRecord& record) { return record.engine == each.mark; });
        // A guard ends after the engines that it serves. An engine that takes its name has a
        // record.
        const bool is_guard = each.name == kGuardName;
        if (each.folder == birth_.folder && !is_recorded && !is_guard)
            send_signal(each.process, SIGKILL);
    }
    // The parent of the engine launcher is the postmaster.
    if (birth_.listener) owner_parent_ = open_process(parent_of(getppid()));
}

void Supervisor::end_strays() {
    std::erase_if(strays_, [](Stray& stray) {
        if (!stray.process || has_ended(stray.process)) {
            if (!stray.folder.empty()) remove_folder(stray.folder);
            return true;
        }
        if (stray.backend && has_ended(stray.backend)) stray.backend.close();
        // A stopped gateway has not received the SIGTERM yet.
        if (!stray.backend) send_signal(stray.process, stray.is_gateway ? SIGCONT : SIGKILL);
        return false;
    });
}

/// Engines that this supervisor has not started are not reaped by it or its zygotes.
void Supervisor::note_adopted_exits() {
    constexpr int kUnknownStatus = -1;
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto engine = each++;
        if (engine->is_adopted && has_ended(engine->process)) end_engine(engine, kUnknownStatus);
    }
}

/// The postmaster has died. A stopped engine launcher must be continued, so that it notices and
/// ends; this supervisor ends after it.
void Supervisor::wake_owner() {
    (void)kill(getppid(), SIGCONT);
    owner_parent_.close();
}

/// The owner is gone, so all its processes end.
void Supervisor::end_all() {
    for (const ZygoteRecord& zygote : zygotes_)
        if (zygote.pid > 0) kill(zygote.pid, SIGKILL);
    for (const SupervisedEngine& engine : engines_) engine.kill();
    gateway_.end();
    // While they live, they can create files.
    for (const SupervisedEngine& engine : engines_) engine.await_end();
    end_owner(birth_.folder);
    _exit(0);
}

}  // namespace epe::engine
