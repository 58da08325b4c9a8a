// What the supervisor knows of one engine, and does to it.
#pragma once

#include <cstdint>
#include <string>

#include "engine/common/descriptor.h"
#include "engine/common/status_page.h"
#include "engine/common/supervisor_messages.h"
#include "engine/common/zygote_messages.h"

namespace epe::engine {

/// A mapping of the page that a backend keeps about its engine.
class StatusMapping {
   public:
    /// Maps nothing when the descriptor is not a sealed page of the right size.
    explicit StatusMapping(int descriptor) noexcept;
    StatusMapping(const StatusMapping&) = delete;
    StatusMapping& operator=(const StatusMapping&) = delete;
    ~StatusMapping();

    StatusPage* page() const noexcept { return page_; }

   private:
    StatusPage* page_ = nullptr;
};

enum class EnginePhase : std::uint8_t {
    kQueued,   ///< the server runs as many as it may
    kForking,  ///< a zygote has been asked
    kRunning,
};

/// Who wants an engine, and of which kind.
struct EngineOrder {
    std::uint64_t number = 0;     ///< the supervisor's own
    int client = -1;              ///< descriptor of the client's connection; -1: it is gone
    std::uint64_t client_id = 0;  ///< the client's name for it
    std::int64_t asked = 0;       ///< when, by now_nanoseconds(), also of an earlier supervisor
    ZygoteKind kind{};
    std::uint32_t role = 0;         ///< OID: whose limit it counts for
    std::int64_t most_of_role = 0;  ///< 0: no limit
    bool is_first = true;           ///< its request waits for it
};

class SupervisedEngine {
   public:
    SupervisedEngine(EngineOrder from, int status_page)
        : order(std::move(from)), status(status_page) {}

    /// Takes it from its session if that does not use it. The page must then say since when.
    bool retire() noexcept;
    bool is_idle() const noexcept;
    /// It has been killed, and still counts.
    bool is_ending() const noexcept;
    std::int64_t idle_since() const noexcept;
    void signal(int number) const noexcept;
    void kill() const noexcept;
    /// After kill(): a second at most.
    void await_end() const noexcept;
    /// Whether its parent has been told of its end already: nobody will tell us any more.
    bool is_reaped() const noexcept;
    /// What it has written of its stack so far, without waiting.
    std::string take_stack_text();
    EngineRow describe(std::int32_t backend) const;

    EngineOrder order;
    Descriptor socket{};    ///< the engine's end, until it is forked
    Descriptor lifeline{};  ///< the same: closed by its backend's end, it kills the engine
    StatusMapping status;
    EnginePhase phase = EnginePhase::kQueued;
    pid_t pid = 0;
    std::string folder{};
    bool is_adopted = false;  ///< started by an earlier supervisor: no child of a zygote of ours
    Descriptor process{};     ///< pidfd
    Descriptor stack{};
    bool is_forgotten = false;  ///< to be killed once it is there
    int stack_client = -1;      ///< who asked for its stack and waits
    std::int64_t stack_deadline = 0;
    std::string stack_text{};
};

}  // namespace epe::engine
