// The processes left by an earlier supervisor of the same owner.
#include "engine/supervisor/strays.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "engine/common/leftovers.h"
#include "engine/sandbox/watch_guard.h"

namespace epe::engine {

Strays::Strays(const std::string& folder) {
    const std::string parent = std::filesystem::path(folder).parent_path().string();
    end_dead_owners(parent);
    const std::vector<EngineRecord> records = engine_records(folder);
    for (const EngineRecord& record : records)
        strays_.push_back(
            {open_process(record.engine), open_process(record.backend), record.folder});
    for (const GatewayRecord& record : gateway_records(folder)) {
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
        if (each.folder == folder && !is_recorded && !is_guard) send_signal(each.process, SIGKILL);
    }
}

void Strays::end_processes() {
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

void Strays::add_polled(std::vector<pollfd>& polled) const {
    for (const Stray& stray : strays_)
        for (const Descriptor* end : {&stray.process, &stray.backend})
            polled.push_back({end->get(), POLLIN, 0});
}

}  // namespace epe::engine
