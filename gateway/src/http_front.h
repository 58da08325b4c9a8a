// Between httplib and the handlers: routes, tokens, answers.
#pragma once

#include <httplib.h>

#include "client_stream.h"
#include "router.h"

namespace epe::gateway {

class Gateway;

/// httplib reads requests and writes answers, no more: connections and threads are ours (Listener,
/// Workers), and so are routes. httplib's own are regular expressions that recurse once a
/// character.
class HttpFront final : private httplib::Server {
   public:
    /// `listening`: any descriptor that is open while we serve; httplib wants to see one.
    HttpFront(Gateway& gateway, int listening);

    /// Answers one request of the client. `is_last`: the answer says that the connection closes.
    /// False: it is to be closed.
    bool serve(ClientStream& client, bool is_last);

   private:
    struct Call;

    static Call*& current();
    template <typename Front, typename SetUp>
    static bool process(Front& front, ClientStream& client, bool is_last, bool& is_closed,
                        SetUp set_up);
    void set_up(Call& call, httplib::Request& request) const;
    bool check_body_headers(Call& call, const httplib::Request& request) const;
    void refuse_head(const httplib::Request& request, httplib::Response& response);
    HandlerResponse begin(const httplib::Request& request, httplib::Response& response);
    void read_body(const httplib::Request& request, httplib::Response& response,
                   const httplib::ContentReader& reader);
    void answer(Call& call, const httplib::Request& request, httplib::Response& response);
    void run_handler(Call& call, const httplib::Request& request, httplib::Response& response);
    void add_headers(const httplib::Request& request, httplib::Response& response) const;
    void finish(const Call& call, const ClientStream& client) const;

    Gateway& gateway_;
    const Router router_;
};

}  // namespace epe::gateway
