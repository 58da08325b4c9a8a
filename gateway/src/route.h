#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace epe::gateway {

class ClientWatch;
class Session;
struct Options;  // options.h: command line options
class Gateway;   // server.h: tokens, sessions and metrics, for the handlers of tokens and
                 // health

/// A request while a handler processes it.
struct Exchange {
    const httplib::Request& request;
    httplib::Response& response;
    const std::map<std::string, std::string>& path;  ///< decoded values of the template's {names}
    ClientWatch& watch;
    Session* session;  ///< session of the token's user; null if the route requires no token
    Gateway& gateway;
};

using Handler = void (*)(Exchange&);

enum class Access { kPublic, kToken };

/// One row of the route table. The table routes requests (router.cpp) and generates the OpenAPI
/// document (openapi.cpp), so every route is documented.
struct Route {
    const char* method;  ///< GET, POST, PUT, DELETE; HEAD is implied by GET
    const char* path;    ///< template: "/oml/api/py-scripts/v1/do-eval/{scriptName}"
    Access access;
    Handler handler;
    const char* operation;  ///< operationId, unique
    const char* tag;
    const char* summary;
    const char* request_schema;     ///< of components/schemas, or null
    nlohmann::json (*responses)();  ///< the "responses" object of the operation
};

/// All routes, in document order.
std::span<const Route> routes();

}  // namespace epe::gateway
