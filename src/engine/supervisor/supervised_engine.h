// One engine in the supervisor.
#pragma once

#include <cstdint>
#include <list>
#include <string>

#include "engine/common/descriptor.h"
#include "engine/common/status_page.h"
#include "engine/common/supervisor_messages.h"
#include "engine/common/zygote_messages.h"

namespace epe::engine {

/// A mapping of the status page that a backend keeps about its engine.
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
    kQueued,   ///< the limit of the server is reached
    kForking,  ///< a zygote was asked to fork it
    kRunning,
};

/// The client of an engine, and the kind of engine requested.
struct EngineOrder {
    std::uint64_t number = 0;     ///< the supervisor's own
    int client = -1;              ///< descriptor of the client's connection; -1: it is gone
    std::uint64_t client_id = 0;  ///< the client's number for it
    /// time of the first request, by now_nanoseconds(), perhaps to an earlier supervisor
    std::int64_t asked = 0;
    ZygoteKind kind{};
    std::uint32_t role = 0;         ///< OID of the role that it is counted for
    std::int64_t most_of_role = 0;  ///< 0: no limit
    bool is_first = true;           ///< mandatory for its request
};

class SupervisedEngine {
   public:
    SupervisedEngine(EngineOrder from, int status_page)
        : order(std::move(from)), status(status_page) {}

    /// Retires it if its session does not use it. The page must then show since when.
    bool retire() noexcept;
    bool is_idle() const noexcept;
    /// It has been killed, and still counts.
    bool is_ending() const noexcept;
    std::int64_t idle_since() const noexcept;
    void signal(int number) const noexcept;
    void kill() const noexcept;
    /// Called after kill(): waits up to a second.
    void await_end() const noexcept;
    /// Whether its parent has reaped it already: no report will follow.
    bool is_reaped() const noexcept;
    /// The stack written so far, without waiting.
    std::string take_stack_text();
    EngineRow describe(std::int32_t backend) const;

    EngineOrder order;
    Descriptor socket{};    ///< the engine's end, until it is forked
    Descriptor lifeline{};  ///< the same: its closing by the backend kills the engine
    StatusMapping status;
    EnginePhase phase = EnginePhase::kQueued;
    pid_t pid = 0;
    std::string folder{};
    /// started by an earlier supervisor: not a child of this one's zygotes
    bool is_adopted = false;
    Descriptor process{};  ///< pidfd
    Descriptor stack{};
    bool is_forgotten = false;  ///< to be killed once it has started
    int stack_client = -1;      ///< the client that waits for its stack
    std::int64_t stack_deadline = 0;
    std::string stack_text{};
};

/// Engines, and requests for engines, in the order of their arrival.
using SupervisedEngines = std::list<SupervisedEngine>;

}  // namespace epe::engine
