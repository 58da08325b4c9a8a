// The supervisor's state: who its clients are, which engines and zygotes there are.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/channel.h"
#include "engine/supervised_engine.h"
#include "engine/supervised_gateway.h"
#include "engine/supervisor.h"
#include "engine/zygote.h"

namespace epe::engine {

struct Client {
    Channel channel{};
    std::int32_t pid = 0;
    bool is_owner = false;
};

struct ZygoteRecord {
    ZygoteKind kind{};
    std::string stamp{};  ///< of its environment, when it started
    pid_t pid = 0;
    Channel channel{};
    bool is_ready = false;
    std::string failure{};
    int failures = 0;  ///< how many before it ended without getting ready

    /// Whether the next one may do better when this has ended.
    bool may_be_followed() const noexcept {
        constexpr int kMostFailures = 2;
        return is_ready || (failure.empty() && failures < kMostFailures);
    }
};

class Supervisor {
   public:
    explicit Supervisor(SupervisorBirth birth);
    [[noreturn]] void run();

   private:
    using Engines = std::list<SupervisedEngine>;

    void wait_for_events();
    void accept_client();
    void serve_client(int descriptor);
    void handle_client(int descriptor, Client& client, Frame& frame);
    void drop_client(int descriptor);
    void configure(WireReader& from);
    void configure_gateway(WireReader& from);
    void acquire(int descriptor, WireReader& from, Frame& frame);
    void list(Client& client);
    void ask_for_stack(int descriptor, WireReader& from);
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
    bool refuse_stuck();

    ZygoteRecord& zygote_of(const ZygoteKind& kind);
    void start_zygote(ZygoteRecord& zygote);
    bool serve_zygote(ZygoteRecord& zygote);
    void handle_zygote(ZygoteRecord& zygote, Frame& frame);
    void lose_zygote(ZygoteRecord& zygote);
    void replace_zygote(ZygoteRecord& zygote);
    void fork_engine(SupervisedEngine& engine);
    void refuse(Engines::iterator engine, const std::string& why);
    void note_exit(pid_t pid, int status);
    void end_engine(Engines::iterator engine, int status);
    void reap();
    void find_strays();
    void remove_strays();
    void say(int client, FromSupervisor type, const WireWriter& body,
             std::initializer_list<int> fds = {});

    SupervisorBirth birth_;
    SupervisorConfiguration configuration_{};
    std::map<int, Client> clients_{};
    Engines engines_{};
    std::list<ZygoteRecord> zygotes_{};
    SupervisedGateway gateway_{};
    std::uint64_t last_number_ = 0;
    /// Engines of an earlier supervisor with this owner, which may still work: their folders.
    std::vector<pid_t> strays_{};
};

void remove_folder(const std::filesystem::path& folder) noexcept;

}  // namespace epe::engine
