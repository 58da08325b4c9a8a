#include "engine/client/event_wait.h"

#include <sys/epoll.h>

#include "core/pipeline/call_stats.h"
#include "engine/common/channel.h"

namespace epe::engine {

namespace {

void control(const Descriptor& poller, int operation, int descriptor, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    if (epoll_ctl(poller.get(), operation, descriptor, &event) != 0)
        throw_system_error(sqlstate::kInsufficientResources, "could not wait for an engine");
}

}  // namespace

EventWait::EventWait(Waiter& waiter) : waiter_(waiter), poller_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!poller_)
        throw_system_error(sqlstate::kInsufficientResources, "could not wait for an engine");
}

void EventWait::watch(int descriptor, WatchedEvents& watched, std::uint32_t events) {
    if (watched.is_watched && watched.events == events) return;
    control(poller_, watched.is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, events);
    watched = {true, events};
}

void EventWait::unwatch(int descriptor, WatchedEvents& watched) {
    control(poller_, EPOLL_CTL_DEL, descriptor, 0);
    watched = {};
}

std::span<const int> EventWait::ready_descriptors() {
    waiter_.check();
    std::array<epoll_event, kMostEvents> events;
    const int count = epoll_wait(poller_.get(), events.data(), kMostEvents, 0);
    std::size_t ready = 0;
    for (int i = 0; i < count; ++i) ready_[ready++] = events[static_cast<std::size_t>(i)].data.fd;
    return std::span(ready_).first(ready);
}

void EventWait::wait(std::int64_t milliseconds) {
    const std::int64_t start = now_nanoseconds();
    waiter_.wait_readable(poller_.get(), milliseconds);
    waited_ += now_nanoseconds() - start;
}

}  // namespace epe::engine
