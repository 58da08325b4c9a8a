// Engines, requests and status pages as a supervisor has them, without processes.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

#include "engine/common/descriptor.h"
#include "engine/supervisor/supervised_engine.h"

namespace epe::test {

/// A sealed status page, as a backend makes it.
inline engine::Descriptor make_status_page() {
    engine::Descriptor page(memfd_create("status", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!page || ftruncate(page.get(), engine::kStatusPageSize) != 0 ||
        fcntl(page.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        throw std::runtime_error("memfd");
    return page;
}

/// The engines of a supervisor. `asked` and the client's numbers count from 1, by arrival.
class Engines {
   public:
    engine::SupervisedEngine& add_request(int client, std::uint32_t role = 0,
                                          std::int64_t most_of_role = 0, bool is_first = true) {
        const engine::Descriptor page = make_status_page();
        engine::EngineOrder order;
        order.number = order.client_id = ++last_;
        order.asked = static_cast<std::int64_t>(last_);
        order.client = client;
        order.role = role;
        order.most_of_role = most_of_role;
        order.is_first = is_first;
        return list.emplace_back(std::move(order), page.get());
    }
    /// A running engine. Idle since the microsecond of that number; 0: busy.
    engine::SupervisedEngine& add_engine(int client, std::int64_t idle_since = 0,
                                         std::uint32_t role = 0) {
        engine::SupervisedEngine& added = add_request(client, role);
        added.phase = engine::EnginePhase::kRunning;
        set_state(added, idle_since == 0 ? engine::EngineState::kBusy : engine::EngineState::kIdle);
        added.status.page()->since = idle_since;
        return added;
    }
    static void set_state(engine::SupervisedEngine& of, engine::EngineState state) {
        of.status.page()->state.store(state);
    }

    engine::SupervisedEngines list{};

   private:
    std::uint64_t last_ = 0;
};

}  // namespace epe::test
