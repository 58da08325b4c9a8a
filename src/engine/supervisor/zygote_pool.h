// The supervisor's zygotes: one for each kind of engine.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/common/channel.h"
#include "engine/common/zygote_messages.h"
#include "engine/supervisor/supervised_engine.h"

namespace epe::engine {

/// Receives what zygotes report, and the ends of children.
class ZygoteEvents {
   public:
    virtual ~ZygoteEvents() = default;

    /// `descriptors`: as of FromZygote::kForked.
    virtual void engine_forked(std::uint64_t number, pid_t pid,
                               std::vector<Descriptor>& descriptors) = 0;
    virtual void engine_not_forked(std::uint64_t number, const std::string& why) = 0;
    /// A child of a zygote, or of the supervisor, that is no zygote.
    virtual void child_exited(pid_t pid, int status) = 0;
    /// A zygote has ended. Without `may_be_followed` no other zygote of the kind is started for
    /// the requests passed to it.
    virtual void zygote_lost(const ZygoteKind& kind, bool may_be_followed,
                             const std::string& failure) = 0;
};

/// Allows the process more descriptors, for its clients and engines. Zygotes get the former limit.
void raise_descriptor_limit() noexcept;

/// What a supervisor needs to start the zygotes.
struct ZygoteStart {
    /// Runs a zygote in a child of the supervisor, and does not return.
    void (*serve)(ZygoteBirth birth) = nullptr;
    std::string program{};         ///< path of this program
    std::string python_version{};  ///< its Python, as "3.11"
    std::string folder{};          ///< the supervisor's: see kFolderVariable
};

class ZygotePool {
   public:
    explicit ZygotePool(ZygoteStart start) noexcept : start_(std::move(start)) {}

    /// Modules that zygotes import. When they have changed, zygotes are replaced.
    void set_preload(std::vector<std::string> preload);
    /// Starts a zygote of the kind, unless there is one.
    void prepare_zygote(const ZygoteKind& kind) { (void)zygote_of(kind); }
    /// Adds a zygote that has been started; 0: it could not be, for that reason.
    void add_zygote(const ZygoteKind& kind, pid_t pid, Descriptor socket, std::string failure = {});
    /// Asks a zygote to fork the engine, whose phase becomes kForking. Returns why there is no
    /// zygote for it; none on success.
    std::optional<std::string> fork_engine(SupervisedEngine& engine);

    /// Also sends what is queued.
    void add_polled(std::vector<pollfd>& polled);
    /// Reads the messages of the zygote with that connection; no-op if it is none.
    void handle_event(int descriptor, ZygoteEvents& events);
    /// Reaps all children of this process that have ended, and replaces zygotes among them.
    void reap_children(ZygoteEvents& events);
    void kill_zygotes() const noexcept;

   private:
    struct Zygote {
        ZygoteKind kind{};
        std::string stamp{};  // of its environment, when it started
        pid_t pid = 0;        // 0: it could not be forked
        Channel channel{};
        bool is_ready = false;
        std::string failure{};
        int failures = 0;  // consecutive predecessors that ended before they were ready
        int kills = 0;     // consecutive predecessors that were killed before they were ready

        bool may_be_followed() const noexcept;
    };

    Zygote& zygote_of(const ZygoteKind& kind);
    void start_zygote(const ZygoteKind& kind);
    std::string program_of(const ZygoteKind& kind) const;
    static void replace_zygote(Zygote& zygote) noexcept;
    static bool serve_zygote(Zygote& zygote, ZygoteEvents& events);
    static void handle_message(Zygote& zygote, Frame& frame, ZygoteEvents& events);
    void handle_end(std::list<Zygote>::iterator zygote, int status, ZygoteEvents& events);

    ZygoteStart start_;
    std::vector<std::string> preload_{};
    std::list<Zygote> zygotes_{};
};

}  // namespace epe::engine
