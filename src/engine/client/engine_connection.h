// One engine process, as its backend sees it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/host.h"
#include "engine/common/arena.h"
#include "engine/common/channel.h"
#include "engine/common/engine_messages.h"
#include "engine/common/engine_options.h"
#include "engine/common/status_page.h"

namespace epe::engine {

/// How an engine process ended, as far as the supervisor knows.
struct EngineExit {
    int status = 0;       ///< of wait(); -1: not known
    std::string stack{};  ///< what Python's faulthandler wrote
};

/// The backend's side of a connection, its arenas and its status page. Values are sent by put();
/// nothing waits. What the engine says is read by process_engine.cpp, and not believed.
///
/// Only the greeting is sent before the supervisor has said that the engine has started, so that
/// the engine confines itself meanwhile. If the supervisor dies before it has said so, an engine
/// that it may have started knows nothing of the request, which the next supervisor is asked for.
class EngineProcess final : public Asker {
   public:
    /// The engine does not exist yet; make_far_ends() connects it.
    EngineProcess(std::uint64_t id, std::string key, const EngineOptions& options);
    EngineProcess(const EngineProcess&) = delete;
    EngineProcess& operator=(const EngineProcess&) = delete;
    ~EngineProcess();

    std::uint64_t id() const noexcept { return request_.id; }
    const std::string& key() const noexcept { return key_; }
    Channel& channel() noexcept { return channel_; }
    int page_descriptor() const noexcept { return page_descriptor_.get(); }
    /// The engine's ends, for a request to a supervisor: of the connection, and of a pipe whose
    /// closing by this process kills the engine. An engine that has got the former ones has lost
    /// its connection. Not once the engine has started.
    struct FarEnds {
        Descriptor socket{};
        Descriptor lifeline{};
    };
    FarEnds make_far_ends();
    /// What to ask a supervisor for.
    const EngineRequest& request() const noexcept { return request_; }
    bool has_started() const noexcept { return pid != 0; }
    /// Whether the supervisor still has to say whether it starts.
    bool is_unanswered() const noexcept { return pid == 0 && !refusal; }

    // What the supervisor has said of it.
    pid_t pid = 0;
    Descriptor process{};  ///< pidfd; once it has started
    std::optional<ErrorReport> refusal{};
    std::optional<EngineExit> exit{};
    std::optional<Ready> ready{};

    /// Queues a message that ends with rows of a batch, through an arena when they are many. Throws
    /// Error 53200 when all arenas together would be more than the engine's memory limit.
    void put_rows(ToEngine type, WireWriter head, const Batch& batch, std::int64_t first_row,
                  std::int64_t row_count);
    /// Rows of a message from the engine, copied and checked.
    Batch take_rows(WireReader& from);
    /// The same for rows that nobody wants any more.
    void skip_rows(WireReader& from);
    /// Messages about arenas. False for others. Throws as put_rows().
    bool handle_arena(ToBackend type, WireReader& from);
    /// The engine asks something. Throws ProtocolError when it cannot have read the answer to what
    /// it asked before: it could have any number of answers wait in this process.
    void take_question() const;
    /// The answer has been put.
    void note_answer() noexcept { answer_end_ = channel_.put_bytes(); }
    /// Whether it holds so little shared memory that it may be kept.
    bool is_light() const noexcept;

    void signal(int number) const noexcept;
    void kill() const noexcept;
    /// The process has ended, or has closed the connection.
    bool is_gone() const noexcept override;

    /// From idle to busy, for a call of `script`. False when the supervisor has taken it away.
    bool take(const EngineOptions& options, const std::string& script) noexcept;
    void give_back() noexcept;
    void count_rows(std::int64_t in, std::int64_t out) noexcept;

   private:
    struct Input {
        Arena arena;
        bool is_free;
    };

    Arena make_arena(std::size_t size);
    Input& input_of(std::size_t size);
    void return_output(std::uint32_t arena);
    void describe(const EngineOptions& options, const std::string& script) noexcept;

    EngineRequest request_;
    std::string key_;
    std::string greeting_{};
    std::uint64_t most_arena_bytes_;
    Channel channel_{};
    Descriptor lifeline_{};
    Descriptor page_descriptor_{};
    StatusPage* page_ = nullptr;
    std::uint32_t last_arena_ = 0;
    std::uint64_t arena_bytes_ = 0;  // of all below
    std::uint64_t answer_end_ = 0;   // in what the channel sends, as those that follow
    std::uint64_t return_end_ = 0;
    std::size_t unread_returns_ = 0;
    std::deque<Input> inputs_{};
    std::vector<Arena> outputs_{};
};

/// What an engine wrote as its stack, without what PostgreSQL could not take: scripts can write
/// there.
std::string readable_stack(const std::string& whole);
/// Says which limit was met.
std::string memory_limit_detail(std::uint64_t bytes);

/// "was terminated by signal 11 (Segmentation fault)", "exited with status 3", ...
std::string describe_exit(const std::optional<EngineExit>& exit);
/// Who may have been it, for one that was killed (SIGKILL); else empty.
std::string hint_at_killer(const std::optional<EngineExit>& exit);

}  // namespace epe::engine
