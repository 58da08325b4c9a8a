// Connects httplib to the handlers: routes, tokens, responses.
#pragma once

#include <httplib.h>

#include "client_stream.h"
#include "router.h"

namespace epe::gateway {

class Gateway;

/// httplib only parses requests and writes responses. Connections and threads are handled by
/// Listener and Workers, and routes by Router: httplib's own routes are regular expressions that
/// recurse once per character.
class HttpFront final : private httplib::Server {
   public:
    /// `listening`: any descriptor that stays open while serving; httplib checks it.
    HttpFront(Gateway& gateway, int listening);

    /// Answers one request of the client. `is_last`: the response announces that the connection
    /// closes. Returns false if the connection must be closed.
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
