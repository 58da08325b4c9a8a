// The supervisor's state: its clients, engines and zygotes.
#pragma once

#include <sys/types.h>

#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/common/channel.h"
#include "engine/common/process_mark.h"
#include "engine/common/zygote_messages.h"
#include "engine/supervisor/supervised_engine.h"
#include "engine/supervisor/supervised_gateway.h"
#include "engine/supervisor/supervisor.h"

namespace epe::engine {

struct Client {
    Channel channel{};
    std::int32_t pid = 0;
    ProcessMark mark{};
    bool is_owner = false;
};

/// A process left by an earlier supervisor of the same owner.
struct Stray {
    Descriptor process{};
    Descriptor backend{};  ///< the backend of the engine; empty once that has ended
    std::string folder{};
    bool is_gateway = false;  ///< it may finish its open requests
};

struct ZygoteRecord {
    ZygoteKind kind{};
    std::string stamp{};  ///< of its environment, when it started
    pid_t pid = 0;
    Channel channel{};
    bool is_ready = false;
    std::string failure{};
    int failures = 0;  ///< consecutive predecessors that ended before they were ready
    int kills = 0;     ///< consecutive predecessors that were killed before they were ready

    /// Whether it makes sense to start another one after this has ended. One that was killed has
    /// not failed, but the kernel may kill each of them when memory is short.
    bool may_be_followed() const noexcept {
        constexpr int kMostFailures = 2;
        constexpr int kMostKills = 20;
        return is_ready || (failure.empty() && failures < kMostFailures && kills < kMostKills);
    }
};

class Supervisor {
   public:
    explicit Supervisor(SupervisorBirth birth);
    [[noreturn]] void run();

   private:
    using Engines = std::list<SupervisedEngine>;

    void wait_for_events();
    void handle_event(int descriptor);
    void greet(Client& client);
    void accept_clients();
    void serve_client(int descriptor);
    void handle_client(int descriptor, Client& client, Frame& frame);
    void drop_client(int descriptor);
    void configure(SupervisorConfiguration wanted);
    void forget(int descriptor, std::uint64_t id);
    void acquire(int descriptor, WireReader& from, Frame& frame);
    void adopt(int descriptor, WireReader& from, Frame& frame);
    [[noreturn]] void end_all();
    void list(Client& client);
    void ask_for_stack(int descriptor, pid_t pid);
    void answer_stack(SupervisedEngine& engine, bool is_due);

    void schedule();
    std::int64_t engines_of(int client) const;
    std::int64_t running() const;
    bool is_role_full(const SupervisedEngine& request) const;
    bool is_in_way(const SupervisedEngine& engine, const SupervisedEngine& request) const;
    bool is_blocked_by(const SupervisedEngine& request, const std::set<int>& clients) const;
    std::set<int> stuck_clients() const;
    Engines::iterator next_in_queue();
    void retire_idle();
    bool retire_one(const SupervisedEngine& request);
    void retire_for_roles();
    bool holds_up_itself(const SupervisedEngine& request) const;
    bool refuse_stuck();

    ZygoteRecord& zygote_of(const ZygoteKind& kind);
    void start_zygote(ZygoteRecord& zygote);
    bool serve_zygote(ZygoteRecord& zygote);
    void handle_zygote(ZygoteRecord& zygote, Frame& frame);
    Engines::iterator find_engine(std::uint64_t number);
    void start_engine(Engines::iterator engine, pid_t pid, Frame& frame);
    void lose_zygote(ZygoteRecord& zygote);
    void replace_zygote(ZygoteRecord& zygote);
    void fork_engine(SupervisedEngine& engine);
    void refuse(Engines::iterator engine, const std::string& why);
    void refuse(Engines::iterator engine, const ErrorReport& report);
    void note_exit(pid_t pid, int status);
    void end_engine(Engines::iterator engine, int status);
    void reap();
    void note_adopted_exits();
    void find_strays();
    void end_strays();
    void wake_owner();
    void say(int client, FromSupervisor type, const WireWriter& body,
             std::initializer_list<int> fds = {});

    SupervisorBirth birth_;
    SupervisorConfiguration configuration_{};
    std::map<int, Client> clients_{};
    Engines engines_{};
    std::list<ZygoteRecord> zygotes_{};
    SupervisedGateway gateway_;
    std::uint64_t last_number_ = 0;
    std::vector<Stray> strays_{};
    /// pidfd of the postmaster, when the owner is the engine launcher
    Descriptor owner_parent_{};
    std::int64_t settle_until_ = 0;  ///< until then, requests are only collected
};

}  // namespace epe::engine
