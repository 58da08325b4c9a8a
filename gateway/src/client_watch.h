#pragma once

namespace httplib {
struct Request;
}

namespace epe::gateway {

/// Detects that the client of a request has closed its connection.
///
/// cpp-httplib 0.11 does not expose a request's socket, so the socket is that of the thread's
/// CurrentClient. Use it only in the thread that handles the request. A client that has shut down
/// its sending side counts as disconnected.
class ClientWatch {
   public:
    explicit ClientWatch(const httplib::Request&) {}
    ClientWatch(const ClientWatch&) = delete;
    ClientWatch& operator=(const ClientWatch&) = delete;

    /// The client's socket, to be polled for POLLRDHUP; -1 if unknown.
    int descriptor();
    bool is_gone();

   private:
    static constexpr int kNotLookedUp = -2;
    int descriptor_ = kNotLookedUp;
};

}  // namespace epe::gateway
