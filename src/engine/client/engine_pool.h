// The engine pool of one backend: its connection to the supervisor, and its warm engines.
#pragma once

#include <sys/types.h>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/ports.h"
#include "engine/client/engine_connection.h"

namespace epe::engine {

/// How long a wait for the next supervisor may last before find_supervisor() is called again.
inline constexpr std::int64_t kSearchMilliseconds = 20;

/// Result of a search for a supervisor.
enum class Found : std::uint8_t {
    kConnected,
    kNotYet,
    kNone,  ///< none can be started: requests have been refused with the reason
};

/// One per process, never destroyed: the supervisor ends the engines when the process is gone.
///
/// When the supervisor dies, running engines continue. Requests without an answer wait for the next
/// supervisor and are sent again, oldest first. Callers that wait for them call find_supervisor().
class EnginePool {
   public:
    static EnginePool& current();

    /// An engine for `script`: one that ran scripts of the same owner for the same role under the
    /// same limits, or a new one that has not started and may have to wait for its turn.
    EngineConnection& acquire(const EngineOptions& options, const Script& script);
    /// Returns an engine: to the pool when it has answered everything, else it is killed.
    void release(EngineConnection& engine, bool is_clean) noexcept;

    /// Descriptor of the connection to the supervisor.
    int descriptor() const noexcept { return supervisor_.descriptor(); }
    /// Number of the connection to a supervisor: each has another one.
    std::uint64_t connection() const noexcept { return connection_; }
    /// Reads the messages of the supervisor.
    void receive();
    /// Whether requests wait for a supervisor to answer.
    bool is_asking() const noexcept;
    /// Whether requests wait and there is no supervisor.
    bool is_searching() const noexcept { return !supervisor_.is_open() && is_asking(); }
    /// Increases with every new information about engines and requests.
    std::uint64_t heard() const noexcept { return heard_; }
    /// The error of a request whose first engine has not started in time.
    ErrorReport start_timeout(const EngineOptions& options) const;
    /// Makes sure that there is a supervisor and that it has all requests. Does not block.
    Found find_supervisor(const EngineOptions& options);
    /// Reports the running engines to the server's next supervisor, if there is one. For callers
    /// that need no answer; usually only checks for a connection.
    void report_to_next(const EngineOptions& options);
    /// Waits up to a second for the supervisor's report of how an engine ended.
    void wait_for_exit(EngineConnection& engine, Waiter& waiter);
    /// Kills all engines: this process is about to end. Async-signal-safe.
    void end_engines() noexcept;

    /// Throw Error 53000 when the supervisor does not answer, or cannot be started.
    std::vector<EngineRow> list(const EngineOptions& options, Waiter& waiter);
    /// The Python stack of an engine; none when it is unknown or does not answer.
    std::optional<std::string> stack_of(pid_t pid, const EngineOptions& options, Waiter& waiter);

   private:
    template <typename Condition>
    void ask(ToSupervisor question, const WireWriter& body, const Condition& has_come,
             const EngineOptions& options, Waiter& waiter);
    void connect(Channel supervisor);
    void launch(const EngineOptions& options);
    static void refuse(EngineConnection& engine, const ErrorReport& why);
    void refuse_all(const ErrorReport& why);
    void put_request(EngineConnection& engine);
    void put_adoption(const EngineConnection& engine);
    void forget_supervisor();
    void drop_ended();
    EngineConnection* find_idle(const EngineKey& key);
    EngineConnection* find(std::uint64_t id) noexcept;
    void handle_frame(Frame& frame);
    static bool is_quiet(EngineConnection& engine);

    Channel supervisor_{};
    pid_t supervisor_pid_ = 0;  // of a supervisor of this backend's own
    std::uint64_t connection_ = 0;
    bool has_answer_ = false;
    std::int64_t last_report_ = 0;  // time of the last attempt of report_to_next()
    std::int64_t lost_since_ = 0;   // since when there is no supervisor; 0: there is one
    std::uint64_t heard_ = 0;
    // consecutive ends of this backend's own supervisors before they sent anything
    int silent_ends_ = 0;
    int last_end_ = 0;  // wait status of the last one
    // why no supervisor could be started; until the next attempt
    std::optional<ErrorReport> no_start_{};
    std::uint64_t last_id_ = 0;
    std::list<EngineConnection> engines_{};
    std::list<EngineConnection*> idle_{};
    std::optional<std::vector<EngineRow>> rows_{};
    std::optional<std::pair<bool, std::string>> stack_{};
    pid_t stack_pid_ = 0;  // the engine of the stack
};

}  // namespace epe::engine
