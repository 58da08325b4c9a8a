// Waiting for engine processes and for the supervisor.
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/client/engine_dialogue.h"

namespace epe::engine {

namespace {

void watch(const Descriptor& poller, int operation, int descriptor, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    if (epoll_ctl(poller.get(), operation, descriptor, &event) != 0)
        throw_system_error(sqlstate::kInsufficientResources, "could not wait for an engine");
}

}  // namespace

void ProcessEngine::watch_started(Worker& worker) {
    if (worker.is_watched) return;
    watch(poller_, EPOLL_CTL_ADD, worker.process->channel().descriptor(), EPOLLIN);
    worker.watched = EPOLLIN;
    worker.is_watched = true;
}

/// It reports whether an engine starts, and how it ends. After one supervisor has ended and another
/// was found, perhaps by a nested call, the new connection is watched; closing the former one has
/// unwatched it.
void ProcessEngine::watch_supervisor() {
    if (session_.descriptor() < 0 || watched_supervisor_ == session_.connection()) return;
    watch(poller_, EPOLL_CTL_ADD, session_.descriptor(), EPOLLIN);
    watched_supervisor_ = session_.connection();
}

/// Sends, waits if allowed and nothing has arrived, and processes what has arrived.
void ProcessEngine::pump(bool may_wait) {
    if (session_.is_asking())
        (void)session_.find_supervisor(options_);
    else
        session_.report_to_next(options_);
    take_news();
    watch_supervisor();
    for (Worker& worker : workers_) {
        if (!worker.process->has_started()) continue;
        (void)worker.process->channel().flush();
        watch_started(worker);
        watch_worker(worker);
    }
    wait_for_events(may_wait);
    if (sink_ != nullptr) deliver();
}

/// When too many results wait, only the engine that the first of them wait for is read from; the
/// others stop by themselves once their sockets are full.
void ProcessEngine::watch_worker(Worker& worker) {
    if (worker.is_gone) return;
    const bool has_head = !worker.slices.empty() && worker.slices.front() == &slices_.front();
    const bool is_paused = waiting_bytes_ > kMostWaitingBytes && !has_head;
    const Channel& channel = worker.process->channel();
    const std::uint32_t wanted =
        (is_paused ? 0U : EPOLLIN) | (channel.has_output() ? EPOLLOUT : 0U);
    if (wanted == worker.watched) return;
    watch(poller_, EPOLL_CTL_MOD, channel.descriptor(), wanted);
    worker.watched = wanted;
}

void ProcessEngine::unwatch(const Worker& worker) {
    watch(poller_, EPOLL_CTL_DEL, worker.process->channel().descriptor(), 0);
}

/// Milliseconds until the first engine must have started or the next supervisor is searched for; -1
/// for no time limit.
std::int64_t ProcessEngine::wait_limit() {
    const std::int64_t search = session_.is_searching() ? kSearchMilliseconds : -1;
    const EngineProcess& first = *workers_.front().process;
    if (!first.is_unanswered()) return search;
    const std::int64_t left = (start_deadline_ - now_nanoseconds()) / 1'000'000;
    if (left > 0) return search < 0 ? left : std::min(left, search);
    ErrorReport report;
    report.sqlstate = sqlstate::kTooManyEngines;
    if (!session_.has_answer()) {
        report.sqlstate = sqlstate::kInsufficientResources;
        report.message = "the supervisor of the Python engines has not answered within " +
                         std::to_string(options_.wait_milliseconds) + " ms";
        report.hint = "See the server log for details.";
        report.engine_failure = EngineFailure::kNotStarted;
        throw Error(std::move(report));
    }
    report.message =
        "no Python engine became free within " + std::to_string(options_.wait_milliseconds) + " ms";
    report.detail = "The server runs as many engines as \"oml_epe.max_engines\" allows.";
    report.hint = "Try again later, raise \"oml_epe.max_engines\", or wait longer with "
                  "\"oml_epe.engine_wait_timeout\".";
    if (options_.most_engines_of_role > 0) {
        report.detail =
            "The server runs as many engines as \"oml_epe.max_engines\" allows, or as many for the "
            "role of this session as \"oml_epe.max_engines_per_role\" (" +
            std::to_string(options_.most_engines_of_role) + ") allows.";
        report.hint = "Try again later, end other calls of the role, or wait longer with "
                      "\"oml_epe.engine_wait_timeout\". A superuser can raise the limits.";
    }
    throw Error(std::move(report));
}

void ProcessEngine::wait_for_events(bool may_wait) {
    constexpr int kMostEvents = 64;
    waiter_.check();  // an engine that never stops sending is never waited for
    epoll_event events[kMostEvents];
    int count = epoll_wait(poller_.get(), events, kMostEvents, 0);
    if (count == 0 && may_wait) {
        const std::int64_t limit = wait_limit();
        const std::int64_t start = now_nanoseconds();
        waiter_.wait_readable(poller_.get(), limit);
        wait_ += now_nanoseconds() - start;
        count = epoll_wait(poller_.get(), events, kMostEvents, 0);
    }
    for (int i = 0; i < count; ++i) {
        const int descriptor = events[i].data.fd;
        if (descriptor == session_.descriptor()) {
            session_.receive();
            take_news();
            continue;
        }
        for (Worker& worker : workers_)
            if (worker.process->channel().descriptor() == descriptor) receive_from(worker);
    }
}

/// Processes the messages of the supervisor, also those for an enclosing call.
void ProcessEngine::take_news() {
    if (heard_ == session_.heard()) return;
    heard_ = session_.heard();
    drop_refused();
    notice_exits();
}

/// Drops engines that were refused; only the first is mandatory.
void ProcessEngine::drop_refused() {
    for (auto each = workers_.begin(); each != workers_.end();) {
        const auto worker = each++;
        if (!worker->process->refusal) continue;
        if (worker == workers_.begin()) throw_refused(*worker);
        session_.release(*worker->process, /* is_clean */ false);
        workers_.erase(worker);
        --engines_used_;
        options_.most_engines = static_cast<int>(workers_.size());
    }
}

/// The socket of a dead engine may still be held open by its child.
void ProcessEngine::notice_exits() {
    for (Worker& worker : workers_) {
        if (!worker.process->exit || worker.is_ended) continue;
        pollfd socket{worker.process->channel().descriptor(), POLLIN, 0};
        while (!worker.is_ended && poll(&socket, 1, 0) > 0) {  // its last messages
            waiter_.check();
            receive_from(worker);
        }
        if (!worker.is_ended) throw_death(worker);
    }
}

}  // namespace epe::engine
