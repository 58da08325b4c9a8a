#pragma once

namespace httplib {
struct Request;
}

namespace epe::gateway {

/// Tells whether the client of a request has closed its connection.
///
/// cpp-httplib 0.11 does not show a request's socket: it is that of the thread's CurrentClient, so
/// this is for the thread that answers the request alone. A client that has closed its sending half
/// counts as gone.
class ClientWatch {
   public:
    explicit ClientWatch(const httplib::Request&) {}
    ClientWatch(const ClientWatch&) = delete;
    ClientWatch& operator=(const ClientWatch&) = delete;

    /// The client's socket, to be waited for with POLLRDHUP; -1 when it cannot be told.
    int descriptor();
    bool is_gone();

   private:
    static constexpr int kNotLookedUp = -2;
    int descriptor_ = kNotLookedUp;
};

}  // namespace epe::gateway
