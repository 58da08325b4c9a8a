// One wait for all connections of a request.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/pipeline/host.h"
#include "engine/common/descriptor.h"

namespace epe::engine {

/// The events of a descriptor that an EventWait waits for. Kept by the owner of the descriptor.
struct WatchedEvents {
    bool is_watched = false;
    std::uint32_t events = 0;  ///< EPOLLIN, EPOLLOUT
};

/// An epoll of descriptors, and waits that the statement's cancellation interrupts.
class EventWait {
   public:
    /// Throws Error 53000 when there are no descriptors left.
    explicit EventWait(Waiter& waiter);

    /// Sets the events of interest. A descriptor that is closed is not watched any more.
    void watch(int descriptor, WatchedEvents& watched, std::uint32_t events);
    void unwatch(int descriptor, WatchedEvents& watched);

    /// The descriptors that have events now; valid until the next call. Throws when the statement
    /// is cancelled, also if there is always an event.
    std::span<const int> ready_descriptors();
    /// Waits until a descriptor has an event, for `milliseconds` at most; -1 for no limit.
    void wait(std::int64_t milliseconds);
    /// Nanoseconds spent in wait().
    std::int64_t waited() const noexcept { return waited_; }

   private:
    static constexpr std::size_t kMostEvents = 64;

    Waiter& waiter_;
    Descriptor poller_;
    std::array<int, kMostEvents> ready_{};
    std::int64_t waited_ = 0;
};

}  // namespace epe::engine
