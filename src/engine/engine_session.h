// The engines of one backend: its connection to the supervisor, and the warm engines it keeps.
#pragma once

#include <sys/types.h>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/ports.h"
#include "engine/engine_process.h"

namespace epe::engine {

/// One per process, never destroyed: the supervisor ends the engines when the process is gone.
class EngineSession {
   public:
    static EngineSession& current();

    /// An engine for `script`: one that ran scripts of the same owner for the same role under the
    /// same limits, or a new one, which may have to wait for its turn. Throws Error 53000 when no
    /// supervisor can be reached or started.
    EngineProcess& acquire(const EngineOptions& options, const Script& script, Waiter& waiter);
    /// Takes an engine back: for later when it has answered everything, else to be killed.
    void release(EngineProcess& engine, bool is_clean) noexcept;

    /// Where the supervisor speaks.
    int descriptor() const noexcept { return supervisor_.descriptor(); }
    /// Takes what the supervisor has said.
    void receive();
    /// Waits for the supervisor to say how an engine ended; a second at most.
    void wait_for_exit(EngineProcess& engine, Waiter& waiter);

    /// Throw Error 53000 when the supervisor does not answer.
    std::vector<EngineRow> list(const EngineOptions& options, Waiter& waiter);
    /// The Python stack of an engine; none when it is not known or does not answer.
    std::optional<std::string> stack_of(pid_t pid, const EngineOptions& options, Waiter& waiter);
    /// True when engines of other sessions can be seen.
    bool is_shared() const noexcept { return supervisor_pid_ == 0; }

   private:
    template <typename Condition>
    void wait_for_answer(const Condition& has_come, Waiter& waiter);
    void require_supervisor(const EngineOptions& options, Waiter& waiter);
    void forget_supervisor();
    void drop_ended();
    EngineProcess* find_idle(const std::string& key);
    EngineProcess* find(std::uint64_t id) noexcept;
    void handle(Frame& frame);
    void flush(Waiter& waiter);
    static bool is_quiet(EngineProcess& engine);

    Channel supervisor_{};
    pid_t supervisor_pid_ = 0;  // of one of our own
    std::uint64_t last_id_ = 0;
    std::list<EngineProcess> engines_{};
    std::list<EngineProcess*> idle_{};
    std::optional<std::vector<EngineRow>> rows_{};
    std::optional<std::pair<bool, std::string>> stack_{};
    pid_t stack_pid_ = 0;  // whose it is
};

}  // namespace epe::engine
