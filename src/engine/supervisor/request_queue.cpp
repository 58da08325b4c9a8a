// Chooses the next request to get an engine, and finds requests that can never get one.
#include "engine/supervisor/request_queue.h"

#include <algorithm>
#include <string>
#include <utility>

namespace epe::engine {

namespace {

bool is_running(const SupervisedEngine& engine) noexcept {
    return engine.phase != EnginePhase::kQueued;
}

}  // namespace

std::int64_t RequestQueue::count_engines(int client) const {
    return std::count_if(engines_.begin(), engines_.end(), [&](const SupervisedEngine& engine) {
        return engine.order.client == client && is_running(engine);
    });
}

std::int64_t RequestQueue::count_engines() const {
    return std::count_if(engines_.begin(), engines_.end(), is_running);
}

/// Whether a request is held up by the limit of its role. Sessions may have different limits, since
/// each keeps the one of its login; the request's own counts.
bool RequestQueue::is_role_full(const SupervisedEngine& request) const {
    if (request.order.most_of_role == 0) return false;
    const auto count =
        std::count_if(engines_.begin(), engines_.end(), [&](const SupervisedEngine& engine) {
            return is_running(engine) && engine.order.role == request.order.role;
        });
    return count >= request.order.most_of_role;
}

/// The oldest request, by the time of its first submission (perhaps to an earlier supervisor), of
/// the clients with the fewest engines. Requests of roles at their limit are skipped.
SupervisedEngines::iterator RequestQueue::next_request() {
    auto best = engines_.end();
    std::int64_t fewest = 0;
    for (auto each = engines_.begin(); each != engines_.end(); ++each) {
        if (is_running(*each) || is_role_full(*each)) continue;
        const std::int64_t count = count_engines(each->order.client);
        if (best != engines_.end() &&
            std::pair(count, each->order.asked) >= std::pair(fewest, best->order.asked))
            continue;
        best = each;
        fewest = count;
    }
    return best;
}

bool RequestQueue::is_in_way(const SupervisedEngine& engine,
                             const SupervisedEngine& request) const {
    return is_running(engine) &&
           (!is_role_full(request) || engine.order.role == request.order.role);
}

/// Retires engines for the requests that the limits of their roles hold up.
void RequestQueue::retire_for_roles() {
    for (const SupervisedEngine& request : engines_) {
        if (is_running(request) || !is_role_full(request)) continue;
        const bool is_due =
            std::any_of(engines_.begin(), engines_.end(), [&](const SupervisedEngine& engine) {
                return is_in_way(engine, request) && engine.is_ending();
            });
        if (!is_due) (void)retire_one(request);
    }
}

/// Whether all engines in the way of a request belong to these clients, and none is free or about
/// to be.
bool RequestQueue::is_blocked_by(const SupervisedEngine& request,
                                 const std::set<int>& clients) const {
    return std::all_of(engines_.begin(), engines_.end(), [&](const SupervisedEngine& engine) {
        return !is_in_way(engine, request) ||
               (!engine.is_ending() && !engine.is_idle() && clients.contains(engine.order.client));
    });
}

/// The clients that wait for each other's engines, or for their own.
std::set<int> RequestQueue::stuck_clients() const {
    std::set<int> stuck;
    for (const SupervisedEngine& engine : engines_)
        if (!is_running(engine) && engine.order.is_first) stuck.insert(engine.order.client);
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (const SupervisedEngine& engine : engines_)
            if (!is_running(engine) && engine.order.is_first &&
                stuck.contains(engine.order.client) && !is_blocked_by(engine, stuck))
                has_changed = stuck.erase(engine.order.client) > 0;
    }
    return stuck;
}

/// Whether the client of a request has engines in its way: the request comes from a nested call, or
/// is for a further engine of a parallel one.
bool RequestQueue::holds_up_itself(const SupervisedEngine& request) const {
    return std::any_of(engines_.begin(), engines_.end(), [&](const SupervisedEngine& engine) {
        return engine.order.client == request.order.client && is_in_way(engine, request);
    });
}

/// Refuses the youngest request that can never be served, including one for a further engine of a
/// parallel call that has all engines in its way. Requests of clients without engines are served
/// after another one has been refused.
QueueStep RequestQueue::refuse_stuck() {
    const std::set<int> stuck = stuck_clients();
    auto hopeless = engines_.end();
    for (auto each = engines_.begin(); each != engines_.end(); ++each) {
        if (is_running(*each) || !holds_up_itself(*each)) continue;
        const bool is_stuck = each->order.is_first ? stuck.contains(each->order.client)
                                                   : is_blocked_by(*each, {each->order.client});
        if (is_stuck) hopeless = each;
    }
    if (hopeless == engines_.end()) return {};
    return RefuseStep{hopeless, deadlock_report(*hopeless)};
}

ErrorReport RequestQueue::deadlock_report(const SupervisedEngine& request) const {
    const auto count =
        std::count_if(engines_.begin(), engines_.end(),
                      [&](const SupervisedEngine& engine) { return is_in_way(engine, request); });
    const std::string setting =
        std::string("\"oml_epe.max_engines") + (is_role_full(request) ? "_per_role\"" : "\"");
    ErrorReport report;
    report.message = "no Python engine is available for a nested call";
    report.detail = setting + " allows " + std::to_string(count) +
                    (count == 1 ? " engine, which runs a call" : " engines, which all run calls") +
                    " whose script is waiting for a nested call of an eval function.";
    report.hint = "Avoid calling eval functions from within scripts, or increase " + setting + ".";
    return report;
}

QueueStep RequestQueue::next_step(std::int64_t most_engines) {
    retire_for_roles();
    const auto next = next_request();
    if (next == engines_.end()) return refuse_stuck();
    if (count_engines() < most_engines) return StartStep{next};
    // The exit of an engine is followed by another step.
    const bool is_ending =
        std::any_of(engines_.begin(), engines_.end(),
                    [](const SupervisedEngine& engine) { return engine.is_ending(); });
    if (is_ending || retire_one(*next)) return {};
    return refuse_stuck();
}

/// Retires the engine in the way of a request that has been idle longest.
bool RequestQueue::retire_one(const SupervisedEngine& request) {
    auto oldest = engines_.end();
    for (auto each = engines_.begin(); each != engines_.end(); ++each)
        if (each->is_idle() && is_in_way(*each, request) &&
            (oldest == engines_.end() || each->idle_since() < oldest->idle_since()))
            oldest = each;
    return oldest != engines_.end() && oldest->retire();
}

void RequestQueue::retire_idle(std::int64_t oldest) {
    for (SupervisedEngine& engine : engines_)
        if (engine.is_idle() && engine.idle_since() < oldest) (void)engine.retire();
}

}  // namespace epe::engine
