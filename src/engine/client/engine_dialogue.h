// State of a running request: its engines and the calls they were given.
#pragma once

#include <deque>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/pipeline/ports.h"
#include "engine/client/engine_connection.h"
#include "engine/client/engine_pool.h"

namespace epe::engine {

/// Limit of results that wait for those of earlier calls; beyond it only earlier ones are read.
inline constexpr std::size_t kMostWaitingBytes = std::size_t{64} << 20;

/// A line that a script printed, or a warning.
struct Line {
    bool is_warning = false;
    std::string text{};
};

/// Some calls that one engine was given together, and their results. Results wait here until those
/// of all earlier calls have been delivered.
struct Slice {
    std::vector<Call> calls{};
    std::deque<std::variant<CallResult, Line>> events{};
    std::size_t waiting_bytes = 0;
    std::int64_t last_result = 0;  ///< number of the call of the last result
    bool is_done = false;
    std::optional<ErrorReport> failure{};
};

/// An engine that works for the request.
struct Worker {
    EngineProcess* process = nullptr;
    std::deque<Slice*> slices{};           ///< in execution order
    bool has_end = false;                  ///< End was sent
    bool is_ended = false;                 ///< Ended was received
    bool has_failed = false;               ///< it skips everything up to End
    bool is_gone = false;                  ///< its connection is closed
    std::uint32_t watched = 0;             ///< epoll's events; 0 before it is watched
    bool is_watched = false;               ///< since it has started
    std::optional<ErrorReport> failure{};  ///< a failure outside of any slice
};

class ProcessEngine final : public Engine {
   public:
    ProcessEngine(EngineOptions options, Host& host, Waiter& waiter);
    ~ProcessEngine() override;

    void begin(const CallPlan& plan) override;
    void run(Work work, ResultSink& sink) override;
    void finish(ResultSink& sink) override;
    void report(CallStats& stats) const override;

    // Alternatives to the fields above:
    void check(const Script& script);
    SandboxReport probe();

   private:
    // process_engine.cpp and process_engine_calls.cpp
    Worker& add_worker(const Script& script);
    void send_begin(Worker& worker);
    void run_stream(Work& work);
    void throw_if_all_failed() const;
    bool is_new_warning(const std::string& text);
    std::size_t slices_at_once() const noexcept;
    Worker* free_worker();
    std::size_t slice_size(std::size_t left) const noexcept;
    void assign(Worker& worker, const Work& work, std::size_t first, std::size_t count);
    void deliver();
    void deliver_event(Slice& slice, std::variant<CallResult, Line> event);
    void end_workers();

    // process_engine_waiting.cpp
    void watch_started(Worker& worker);
    void watch_supervisor();
    void pump(bool may_wait);
    void wait_for_events(bool may_wait);
    void watch_worker(Worker& worker);
    void unwatch(const Worker& worker);
    void take_news();
    void drop_refused();
    void notice_exits();
    std::int64_t wait_limit();

    // process_engine_messages.cpp: messages of engines
    void receive_from(Worker& worker);
    void handle(Worker& worker, const Frame& frame);
    void handle_body(Worker& worker, ToBackend type, WireReader& from);
    void take_result(Worker& worker, WireReader& from);
    void take_event(Worker& worker, std::variant<CallResult, Line> event, std::size_t bytes);
    void take_failure(Worker& worker, WireReader& from);
    void finish_slice(Worker& worker, WireReader& from);
    void execute(Worker& worker, WireReader& from);
    static void send_result(EngineProcess& process, const HostResult& result);
    bool next_batch(Worker& worker, Batch& batch);
    void give_batch(Worker& worker);
    void check_ready(const Worker& worker) const;
    [[noreturn]] void throw_refused(const Worker& worker) const;
    [[noreturn]] void throw_death(Worker& worker);
    [[noreturn]] void throw_failure(ErrorReport report) const;
    void abandon() noexcept;
    static void drain(EngineProcess& process, bool& is_ended, std::int64_t deadline);
    static void drop_message(EngineProcess& process, ToBackend type, WireReader& from);

    EngineOptions options_;
    Host& host_;
    Waiter& waiter_;
    EngineSession& session_;
    Descriptor poller_{};  // an epoll of the connections of the workers and of the supervisor
    std::uint64_t watched_supervisor_ = 0;  // value of connection() of the pool when watched
    std::uint64_t heard_ = 0;               // value of heard() of the pool when last read
    const CallPlan* plan_ = nullptr;
    ResultSink* sink_ = nullptr;
    BatchStream* stream_ = nullptr;
    std::list<Worker> workers_{};
    std::list<Slice> slices_{};  // in call order
    std::size_t waiting_bytes_ = 0;
    std::set<std::string> warned_{};  // warnings already sent
    EngineTimes times_{};
    std::int64_t calls_done_ = 0;
    std::int64_t wait_ = 0;
    std::int64_t start_deadline_ = 0;  // for the first engine
    std::size_t engines_used_ = 0;
};

}  // namespace epe::engine
