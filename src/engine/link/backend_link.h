// The engine's end of the connection to its backend: waiting, and rows in both directions.
#pragma once

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <string>

#include "core/pipeline/ports.h"
#include "engine/common/arena.h"
#include "engine/common/channel.h"
#include "engine/common/engine_messages.h"
#include "engine/common/row_transport.h"

namespace epe::engine {

/// Set by SIGINT: the backend cancels the running request. Installs the handler at first use.
InterruptFlags cancel_flags() noexcept;
void clear_cancel() noexcept;

/// Whether a cancelled request ends the wait, with Error 57014.
enum class Patience : std::uint8_t { kUntilCancelled, kAlways };

/// A message of the backend.
struct Message {
    ToEngine type{};
    std::string body{};
};

class BackendLink {
   public:
    explicit BackendLink(Descriptor socket);
    BackendLink(const BackendLink&) = delete;
    BackendLink& operator=(const BackendLink&) = delete;
    ~BackendLink();

    int descriptor() const noexcept { return channel_.descriptor(); }
    /// Queues a frame; flushes when enough is queued.
    void put(ToBackend type, const WireWriter& body);
    /// Queues `head`, followed by rows of a batch.
    void put_rows(ToBackend type, WireWriter head, const Batch& batch);
    void flush(Patience patience);
    /// Sends what is queued within about a millisecond, by the thread that runs serve_flushes():
    /// the script may now run for long. Costs little if called for each of many small results.
    void flush_soon();
    /// To be run by a thread of its own. Never returns.
    void serve_flushes() noexcept;
    /// Whether the backend wants no further results of the request. Looks for its message now and
    /// then, at least every millisecond if called that often.
    bool is_stopped();
    /// Forgets a stop of the previous request.
    void begin_request() noexcept { is_stopped_ = false; }
    /// The next message of the backend that is not about arenas. Flushes first. Ends the process
    /// when the backend is gone.
    Message wait();
    /// Sends a question and waits for its answer; earlier messages of the backend are kept for
    /// wait().
    Message ask(ToBackend question, const WireWriter& body, ToEngine answer);
    /// The same for a question that ends with rows.
    Message ask(ToBackend question, WireWriter head, const Batch& rows, ToEngine answer);
    /// Rows at the end of a frame; they borrow from an arena.
    Batch take_rows(WireReader& from);

   private:
    class Input;
    struct Output;

    Message wait_for(ToEngine answer);
    void receive_more(Patience patience);
    bool handle_arena(Frame& frame);
    ReservedArena reserve_output(std::size_t size);
    Output& wait_for_output(std::size_t size);
    void report_free_inputs();
    void take_arrived();
    void poll_socket(short events, Patience patience);
    void put_frame(ToBackend type, const WireWriter& body);
    bool flush_some() noexcept;
    std::size_t output_size() noexcept;

    Channel channel_;
    std::mutex output_mutex_{};  // the output of the channel, and is_flush_due_
    bool is_flush_due_ = false;
    std::condition_variable flush_wanted_{};
    std::deque<Message> waiting_{};
    bool is_stopped_ = false;
    std::int64_t looked_ = 0;  // when it last looked for a stop
    std::list<Input> inputs_;
    std::list<Output> outputs_;
};

}  // namespace epe::engine
