// Threads for running requests.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "client_stream.h"

namespace epe::gateway {

/// Starts a thread when a client has a request and none is free; one that has been free for a while
/// ends. There are at most as many as clients.
class Workers {
   public:
    using OwnedClient = std::unique_ptr<ClientStream>;
    using Work = std::function<void(OwnedClient)>;

    explicit Workers(Work work) : work_(std::move(work)) {}

    /// The client is dropped when the system has no thread left for it.
    void add(OwnedClient client);
    /// Whether clients wait for a thread.
    bool has_queue() const;
    /// Waits until no thread runs, that long at most. Nobody may add() any more.
    bool await_end(std::chrono::steady_clock::duration patience);

   private:
    void run();
    bool start();
    static void* enter(void* workers);

    const Work work_;
    mutable std::mutex mutex_;
    std::condition_variable added_;
    std::condition_variable ended_;
    std::deque<OwnedClient> queue_;
    std::size_t free_ = 0;
    std::size_t threads_ = 0;
    bool is_ending_ = false;
};

}  // namespace epe::gateway
