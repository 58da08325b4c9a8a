// The engines of the supervisor, the requests for engines, and the messages to their clients.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "engine/common/supervisor_messages.h"
#include "engine/supervisor/clients.h"
#include "engine/supervisor/supervised_engine.h"

namespace epe::engine {

class EngineTable {
   public:
    /// `folder` is the owner's; it contains the folders of engines.
    EngineTable(Clients& clients, std::string folder)
        : clients_(clients), folder_(std::move(folder)) {}

    SupervisedEngines& engines() noexcept { return engines_; }

    // Messages of clients. Throw ProtocolError when descriptors are missing.

    void add_request(int client, EngineRequest request, std::vector<Descriptor>& descriptors);
    /// An engine that an earlier supervisor has started counts, and ends, like one of this
    /// supervisor. Only its exit status and its Python stack are unknown here.
    void adopt_engine(int client, EngineAdoption adoption, std::vector<Descriptor>& descriptors);
    /// Kills the engine, or drops the request.
    void forget_engine(int client, std::uint64_t id);
    /// Does so with all of a client.
    void forget_client(int client);
    void list_engines(int client) const;
    void request_stack(int client, pid_t pid);

    // Events of engines.

    /// A zygote has forked the engine. `descriptors`: as of FromZygote::kForked.
    void start_engine(std::uint64_t number, pid_t pid, std::vector<Descriptor>& descriptors);
    void refuse_engine(std::uint64_t number, const std::string& why);
    void refuse_engine(SupervisedEngines::iterator engine, const std::string& why);
    void refuse_engine(SupervisedEngines::iterator engine, const ErrorReport& report);
    /// The process has ended; no-op if it is none of the engines.
    void note_exit(pid_t pid, int status);
    /// Engines that this supervisor has not started are not reaped by it or its zygotes.
    void note_adopted_exits();
    /// A zygote of the kind has ended. Requests passed to it wait again if another one may follow;
    /// else they are refused with `failure`.
    void note_lost_zygote(const ZygoteKind& kind, bool may_be_followed, const std::string& failure);

    void add_polled(std::vector<pollfd>& polled) const;
    /// Sends the stacks that are complete or overdue.
    void answer_stacks();
    /// Kills all engines.
    void kill_engines() const noexcept;
    /// Waits a short time for the end of killed engines.
    void await_ends() const noexcept;

   private:
    SupervisedEngines::iterator find_engine(std::uint64_t number);
    SupervisedEngine& add_engine(int client, EngineRequest&& request, int status_page);
    bool make_folder(SupervisedEngine& engine) const;
    void drop_engine(SupervisedEngines::iterator engine);
    void end_engine(SupervisedEngines::iterator engine, int status);
    void answer_stack(SupervisedEngine& engine, bool is_due);

    Clients& clients_;
    std::string folder_;
    SupervisedEngines engines_{};
    std::uint64_t last_number_ = 0;
};

}  // namespace epe::engine
