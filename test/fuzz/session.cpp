// Fuzz target: a backend that reads the supervisor's messages about its engines.
#include <sys/eventfd.h>

#include <cstdint>
#include <list>
#include <string_view>
#include <utility>

#include "core/utf8.h"
#include "engine/client/engine_pool.h"
#include "messages.h"
#include "private_member.h"

namespace epe::fuzz {

using namespace engine;

struct SupervisorMember {
    using Type = Channel EnginePool::*;
    friend Type member(SupervisorMember);
};
struct EnginesMember {
    using Type = std::list<EngineConnection> EnginePool::*;
    friend Type member(EnginesMember);
};

template struct PrivateMember<SupervisorMember, &EnginePool::supervisor_>;
template struct PrivateMember<EnginesMember, &EnginePool::engines_>;

}  // namespace epe::fuzz

namespace {

using namespace epe::engine;
using epe::fuzz::require;

void run(std::string_view input) {
    constexpr std::uint64_t kEngines = 2;
    auto [ours, theirs] = make_socket_pair();
    EnginePool session;
    session.*member(epe::fuzz::SupervisorMember()) =
        Channel(std::move(ours), Receives::kDescriptors);
    std::list<EngineConnection>& engines = session.*member(epe::fuzz::EnginesMember());
    for (std::uint64_t id = 1; id <= kEngines; ++id)
        engines.emplace_back(id, EngineKey(), EngineOptions());
    Channel supervisor(std::move(theirs), Receives::kDescriptors);
    const Descriptor process(eventfd(0, EFD_CLOEXEC));  // signals to it have no effect
    epe::fuzz::Bytes bytes(input);
    try {
        while (!bytes.is_empty()) {
            epe::fuzz::send_message(supervisor, epe::fuzz::next_message(bytes),
                                    {process.get(), process.get(), process.get(), process.get()});
            session.receive();
        }
    } catch (const ProtocolError&) {  // NOLINT(bugprone-empty-catch): the usual fate
    }
    for (const EngineConnection& engine : engines)
        if (engine.exit) {
            (void)describe_exit(engine.exit);
            // A script can write there; the text is passed to PostgreSQL.
            require(epe::is_clean_utf8(readable_stack(engine.exit->stack)), "stack of an engine");
        }
    supervisor.close();
    try {
        session.receive();
    } catch (const ProtocolError&) {  // NOLINT(bugprone-empty-catch): as above
    }
    require(session.descriptor() < 0 || !engines.empty(), "a supervisor that is gone is forgotten");
}

}  // namespace

EPE_FUZZ_TARGET(session, run, kBytes)
