// Accepts HTTP connections and keeps idle ones.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "client_stream.h"
#include "options.h"
#include "workers.h"

namespace epe::gateway {

/// The gateway cannot listen on an address; the message is for the operator.
struct ListenError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One thread polls all idle connections, which cost a descriptor and a few hundred bytes each. A
/// connection with input is passed to a worker and returned by park().
class Listener {
   public:
    struct Callbacks {
        std::function<void(Workers::OwnedClient)> on_request;
        std::function<void()> on_reload;  ///< SIGHUP
        std::function<void()> on_tick;    ///< about once a second
    };

    /// Listens. Throws ListenError.
    Listener(const Options& options, TlsContext* tls);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// Serves until SIGTERM or SIGINT; these and SIGHUP must be blocked in all threads. Then closes
    /// listening sockets and idle connections.
    void run(const Callbacks& callbacks);
    /// Returns a connection to the listener to wait for its next request. Thread-safe.
    void park(Workers::OwnedClient client);

    int port() const { return port_; }
    int descriptor() const { return listening_.front(); }
    /// After shutdown begins, each response is the last of its connection.
    bool is_stopping() const { return is_stopping_; }
    /// Open connections; a worker reports each closed one.
    std::size_t clients() const { return clients_; }
    void count_closed() { --clients_; }

   private:
    void listen_at(const struct addrinfo& address);
    void accept_clients(int listening);
    void hand_over(int descriptor, const Callbacks& callbacks);
    bool handle_signal(const Callbacks& callbacks);
    void close_idle();
    void close_listening();
    void stop();

    const Options& options_;
    TlsContext* const tls_;
    int port_ = 0;
    int epoll_ = -1;
    int signals_ = -1;
    std::vector<int> listening_;
    std::atomic<bool> is_stopping_{false};
    std::atomic<std::size_t> clients_{0};
    bool is_full_ = false;  // so that it is logged once

    std::mutex mutex_;
    std::map<int, Workers::OwnedClient> resting_;
};

}  // namespace epe::gateway
