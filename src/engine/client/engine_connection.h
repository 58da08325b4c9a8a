// The backend's side of the connection to one engine process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/host.h"
#include "engine/client/engine_key.h"
#include "engine/common/arena.h"
#include "engine/common/channel.h"
#include "engine/common/engine_messages.h"
#include "engine/common/engine_options.h"
#include "engine/common/row_transport.h"
#include "engine/common/status_page.h"

namespace epe::engine {

/// How an engine process ended, as reported by the supervisor.
struct EngineExit {
    int status = 0;       ///< of wait(); -1: unknown
    std::string stack{};  ///< output of Python's faulthandler
};

/// The backend's side of a connection, its arenas and its status page. Values are sent by put();
/// nothing blocks. Messages of the engine are untrusted; they are read by
/// EngineDialogue.
///
/// Before the supervisor has reported the start of the engine, only the greeting is sent, so that
/// the engine can confine itself meanwhile. If the supervisor dies before that report, an engine
/// that it may have started has no knowledge of the request, and the next supervisor is asked for
/// the request.
class EngineConnection final : public Requester {
   public:
    /// The engine does not exist yet; make_far_ends() connects it.
    EngineConnection(std::uint64_t id, EngineKey key, const EngineOptions& options);
    EngineConnection(const EngineConnection&) = delete;
    EngineConnection& operator=(const EngineConnection&) = delete;
    ~EngineConnection();

    std::uint64_t id() const noexcept { return request_.id; }
    const EngineKey& key() const noexcept { return key_; }
    Channel& channel() noexcept { return channel_; }
    int page_descriptor() const noexcept { return page_descriptor_.get(); }
    /// The engine's ends, for a request to a supervisor: of the connection, and of a pipe whose
    /// closing by this process kills the engine. An engine that holds former ends has lost its
    /// connection. Not to be called once the engine has started.
    struct FarEnds {
        Descriptor socket{};
        Descriptor lifeline{};
    };
    FarEnds make_far_ends();
    /// The request for a supervisor.
    const EngineRequest& request() const noexcept { return request_; }
    bool has_started() const noexcept { return pid != 0; }
    /// Whether the supervisor has not answered the request yet.
    bool is_unanswered() const noexcept { return pid == 0 && !refusal; }

    // State reported by the supervisor.
    pid_t pid = 0;
    Descriptor process{};  ///< pidfd; set once the engine has started
    std::optional<ErrorReport> refusal{};
    std::optional<EngineExit> exit{};
    std::optional<Ready> ready{};

    /// Queues a message that ends with rows of a batch; many rows go through an arena. Throws Error
    /// 53200 when all arenas together would exceed the engine's memory limit.
    void put_rows(ToEngine type, WireWriter head, const Batch& batch, std::int64_t first_row,
                  std::int64_t row_count);
    /// Rows of a message from the engine, copied and checked.
    Batch take_rows(WireReader& from);
    /// Discards the rows of a message.
    void skip_rows(WireReader& from);
    /// Processes messages about arenas; returns false for other messages. Throws as put_rows().
    bool handle_arena(ToBackend type, WireReader& from);
    /// Notes a question of the engine. Throws ProtocolError when the engine cannot have read the
    /// answer to its previous question: it could make any number of answers pile up in this
    /// process.
    void take_question() const;
    /// Notes that the answer was queued.
    void note_answer() noexcept { answer_end_ = channel_.put_bytes(); }
    /// Whether it holds little enough shared memory to be pooled.
    bool is_light() const noexcept;

    void signal(int number) const noexcept;
    void kill() const noexcept;
    /// The process has ended, or has closed the connection.
    bool is_gone() const noexcept override;

    /// From idle to busy, for a call of `script`. False when the supervisor has retired it.
    bool mark_busy(const EngineOptions& options, const std::string& script) noexcept;
    void mark_idle() noexcept;
    void count_rows(std::int64_t in, std::int64_t out) noexcept;

   private:
    /// An arena for rows to the engine.
    struct Input {
        Arena arena;
        bool is_free;
        std::size_t size() const noexcept { return arena.size(); }
    };

    Arena make_arena(std::size_t size);
    ReservedArena reserve_input(std::size_t size);
    void return_output(std::uint32_t arena);
    void describe(const EngineOptions& options, const std::string& script) noexcept;

    EngineRequest request_;
    EngineKey key_;
    std::string greeting_{};
    std::uint64_t most_arena_bytes_;
    Channel channel_{};
    Descriptor lifeline_{};
    Descriptor page_descriptor_{};
    StatusPage* page_ = nullptr;
    std::uint32_t last_arena_ = 0;
    std::uint64_t arena_bytes_ = 0;  // of all arenas below
    std::uint64_t answer_end_ = 0;   // offset in the channel's output, as are the next two
    std::uint64_t return_end_ = 0;
    std::size_t unread_returns_ = 0;
    std::deque<Input> inputs_{};
    std::vector<Arena> outputs_{};
};

/// The stack that an engine wrote, without characters that PostgreSQL rejects: scripts can write to
/// that pipe.
std::string readable_stack(const std::string& whole);
/// Names the limit that was exceeded.
std::string memory_limit_detail(std::uint64_t bytes);

/// "was terminated by signal 11 (Segmentation fault)", "exited with status 3", ...
std::string describe_exit(const std::optional<EngineExit>& exit);
/// Hint at the likely sender of a SIGKILL (the OOM killer); else empty.
std::string hint_at_killer(const std::optional<EngineExit>& exit);

}  // namespace epe::engine
