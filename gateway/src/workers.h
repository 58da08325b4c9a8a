// Threads for running requests.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "client_stream.h"

namespace epe::gateway {

/// Starts a thread when a client has a request and no thread is idle; a thread that has been idle
/// for a while exits. There are at most as many threads as clients.
class Workers {
   public:
    using OwnedClient = std::unique_ptr<ClientStream>;
    using Work = std::function<void(OwnedClient)>;

    explicit Workers(Work work) : work_(std::move(work)) {}

    /// The client is dropped if the system cannot start a thread for it.
    void add(OwnedClient client);
    /// Whether clients wait for a thread.
    bool has_queue() const;
    /// Waits for all threads to exit, up to the given time. add() must not be called afterwards.
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
