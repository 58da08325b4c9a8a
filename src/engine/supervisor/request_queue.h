// Chooses the next request to get an engine, and finds requests that can never get one.
//
// A request is *held up* by the server's limit or by the limit of its role, and the engines *in its
// way* are then all engines, or those of the role. Idle engines are retired for it; a busy one
// becomes free when its own call ends. A call whose SQL waits for an engine does not end: when all
// engines in the way belong to sessions that wait like this, it is a deadlock, and one request is
// refused.
#pragma once

#include <cstdint>
#include <set>
#include <variant>

#include "core/error.h"
#include "engine/supervisor/supervised_engine.h"

namespace epe::engine {

/// A request gets an engine.
struct StartStep {
    SupervisedEngines::iterator request;
};

/// A request can never be served.
struct RefuseStep {
    SupervisedEngines::iterator request;
    ErrorReport report{};
};

/// The other alternative: nothing can be done before an engine ends or a request arrives.
using QueueStep = std::variant<std::monostate, StartStep, RefuseStep>;

class RequestQueue {
   public:
    explicit RequestQueue(SupervisedEngines& engines) noexcept : engines_(engines) {}

    /// The next step, with no more than `most_engines` engines in all. Retires idle engines that
    /// are in the way of requests. The caller carries the step out before it asks for another one.
    QueueStep next_step(std::int64_t most_engines);
    /// Retires engines that have been idle since before that time, as in StatusPage::since.
    void retire_idle(std::int64_t oldest);

   private:
    std::int64_t count_engines(int client) const;
    std::int64_t count_engines() const;
    bool is_role_full(const SupervisedEngine& request) const;
    bool is_in_way(const SupervisedEngine& engine, const SupervisedEngine& request) const;
    bool is_blocked_by(const SupervisedEngine& request, const std::set<int>& clients) const;
    bool holds_up_itself(const SupervisedEngine& request) const;
    std::set<int> stuck_clients() const;
    SupervisedEngines::iterator next_request();
    bool retire_one(const SupervisedEngine& request);
    void retire_for_roles();
    QueueStep refuse_stuck();
    ErrorReport deadlock_report(const SupervisedEngine& request) const;

    SupervisedEngines& engines_;
};

}  // namespace epe::engine
