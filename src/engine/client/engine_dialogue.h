// The messages that a request exchanges with one of its engines.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "core/pipeline/ports.h"
#include "engine/client/engine_connection.h"
#include "engine/client/engine_pool.h"
#include "engine/client/event_wait.h"
#include "engine/client/ordered_delivery.h"
#include "engine/client/slice_scheduler.h"

namespace epe::engine {

/// What all dialogues of a request share. `plan` is null while a script is only checked.
struct RequestContext {
    const EngineOptions& options;
    Host& host;
    Waiter& waiter;
    EnginePool& pool;
    OrderedDelivery& delivery;
    SliceScheduler& scheduler;
    const CallPlan* plan = nullptr;
    BatchStream* stream = nullptr;
};

/// One engine that works for a request. An engine runs untrusted code: every message is checked
/// before use, and an engine that breaks the protocol is killed.
class EngineDialogue {
   public:
    /// `request` and `engine` must outlive it; the caller releases the engine.
    EngineDialogue(RequestContext& request, EngineConnection& engine)
        : request_(request), engine_(engine) {}
    EngineDialogue(const EngineDialogue&) = delete;
    EngineDialogue& operator=(const EngineDialogue&) = delete;

    EngineConnection& engine() const noexcept { return engine_; }
    EngineLoad load() const noexcept;

    // Queue messages to the engine.
    void send_begin();
    void send_check(const Script& script);
    /// Calls of `work`, whose rows they are; `slice` is the last of the delivery's.
    void send_slice(Slice& slice, const Work& work);
    void send_end();

    /// Reads what has arrived. Throws an error of the engine's death or of the script's SQL that
    /// ends the statement, and ProtocolError.
    void receive_messages();
    /// Reads what a dead engine has sent before its end, and throws unless it had completed its
    /// work. Its socket may still be held open by its child.
    void receive_last_messages();
    /// Updates the events that the request waits for.
    void watch(EventWait& events);

    /// The engine has completed the request.
    bool is_ended() const noexcept { return is_ended_; }
    /// It skips everything up to End.
    bool has_failed() const noexcept { return has_failed_; }
    /// A failure outside of any slice.
    const std::optional<ErrorReport>& failure() const noexcept { return failure_; }
    /// Whether the engine can serve another request.
    bool is_reusable() const noexcept { return is_ended_ && !is_gone_; }
    [[noreturn]] void throw_refused() const;

    // Early end of the request. From send_stop() on, results are dropped, questions are answered,
    // and the end of the engine is no error.
    void send_stop();
    /// Whether the engine has noticed it: it runs no further calls.
    bool has_stopped() const noexcept { return is_stopped_ || is_ended_; }
    void cancel();
    /// Discards the remaining messages up to Ended, until the deadline. Not interruptible.
    void drain(std::int64_t deadline);

   private:
    void handle_frame(const Frame& frame);
    bool handle_while_stopping(ToBackend type, WireReader& from);
    void lose_engine();
    void handle_ready(WireReader& from);
    void handle_result(WireReader& from);
    void handle_line(WireReader& from, bool is_warning);
    void handle_slice_end(WireReader& from);
    void handle_failure(WireReader& from);
    void answer_execute(WireReader& from);
    void answer_next_batch();
    bool read_stream(Batch& batch);
    void send_host_result(HostResult result);
    [[noreturn]] void throw_death();

    RequestContext& request_;
    EngineConnection& engine_;
    std::deque<Slice*> slices_{};  // in execution order
    bool is_end_sent_ = false;
    bool is_ended_ = false;
    bool has_failed_ = false;
    bool is_gone_ = false;  // its connection is closed
    bool is_stopping_ = false;
    bool is_stopped_ = false;
    WatchedEvents watched_{};
    std::optional<ErrorReport> failure_{};
};

}  // namespace epe::engine
