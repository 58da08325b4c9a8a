// The process that starts engines for backends, and manages all of them.
//
// Tree: engine launcher (a background worker) or a backend -> supervisor -> zygotes -> engines. The
// supervisor runs no Python itself. Zygotes fork the engines; when a zygote is killed, a new one is
// started at once, and its engines continue: the supervisor is then their parent (subreaper).
//
// A client (a backend) asks for an engine: Acquire carries the engine's end of a socket pair and a
// status page. At the limit of the server or of the client's role, requests wait: the client with
// the fewest engines is served first, and idle engines of other sessions are retired for it. When a
// client is gone, its engines are killed.
//
// A supervisor may be killed at any time. Other processes keep its state: its owner starts the next
// one with the same folder, sessions repeat their unanswered requests, with the time of the first
// one, and report their engines. It finds and ends engines whose session is gone, and other
// processes of its predecessor, by itself (see leftovers.h).
//
// It also starts and watches the REST gateway, when the server's settings ask for one.
//
// Without an engine launcher, a backend starts a supervisor of its own, which serves it alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/common/descriptor.h"
#include "engine/common/supervisor_messages.h"
#include "engine/common/zygote_messages.h"
#include "engine/supervisor/clients.h"
#include "engine/supervisor/engine_table.h"
#include "engine/supervisor/request_queue.h"
#include "engine/supervisor/strays.h"
#include "engine/supervisor/supervised_gateway.h"
#include "engine/supervisor/zygote_pool.h"

namespace epe::engine {

struct SupervisorBirth {
    /// connection to the process that started it; the supervisor ends with it
    Descriptor owner{};
    Descriptor listener{};  ///< for connections of backends; none for a backend's own
    std::string folder{};   ///< the owner's; contains the folders of engines; absolute
    ZygoteStart zygotes{};
};

/// The event loop: passes events and messages to the parts, and carries out the queue's steps.
class Supervisor final : public ClientRequests, public ZygoteEvents {
   public:
    explicit Supervisor(SupervisorBirth birth);
    [[noreturn]] void run_loop();

   private:
    void wait_for_events();
    void handle_event(int descriptor);
    void serve_queue();
    void retire_idle();
    void wake_owner();
    [[noreturn]] void end_all();

    void configure_engines(SupervisorConfiguration wanted) override;
    void configure_gateway(GatewayCommand command) override;
    void request_engine(int client, EngineRequest request,
                        std::vector<Descriptor>& descriptors) override;
    void adopt_engine(int client, EngineAdoption adoption,
                      std::vector<Descriptor>& descriptors) override;
    void forget_engine(int client, std::uint64_t id) override;
    void list_engines(int client) override;
    void request_stack(int client, pid_t engine) override;
    void client_gone(int client, bool is_owner) override;

    void engine_forked(std::uint64_t number, pid_t pid,
                       std::vector<Descriptor>& descriptors) override;
    void engine_not_forked(std::uint64_t number, const std::string& why) override;
    void child_exited(pid_t pid, int status) override;
    void zygote_lost(const ZygoteKind& kind, bool may_be_followed,
                     const std::string& failure) override;

    std::string folder_;
    SupervisorConfiguration configuration_{};
    Clients clients_;
    EngineTable engines_;
    RequestQueue queue_;
    ZygotePool zygotes_;
    SupervisedGateway gateway_;
    Strays strays_;
    Descriptor postmaster_{};        // pidfd, when the owner is the engine launcher
    std::int64_t settle_until_ = 0;  // until then, requests are only collected
};

/// Runs a supervisor in the calling process.
[[noreturn]] void supervise(SupervisorBirth birth);

}  // namespace epe::engine
