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
struct Options;  // options.h: what the command line said
class Gateway;   // server.h: tokens, users' sessions, metrics; what handlers of tokens and health
                 // use

/// A request on its way through a handler.
struct Exchange {
    const httplib::Request& request;
    httplib::Response& response;
    const std::map<std::string, std::string>& path;  ///< values of the template's {names}, decoded
    ClientWatch& watch;
    Session* session;  ///< of the token's user; null where the route takes no token
    Gateway& gateway;
};

using Handler = void (*)(Exchange&);

enum class Access { kPublic, kToken };

/// One line of the table that both routes requests (server.cpp) and writes the OpenAPI document
/// (openapi.cpp): what is not in it does not exist.
struct Route {
    const char* method;  ///< GET, POST, PUT, DELETE; HEAD goes with GET
    const char* path;    ///< template: "/oml/api/py-scripts/v1/do-eval/{scriptName}"
    Access access;
    Handler handler;
    const char* operation;  ///< operationId, unique
    const char* tag;
    const char* summary;
    const char* request_schema;     ///< of components/schemas, or null
    nlohmann::json (*responses)();  ///< the "responses" object of the operation
};

/// All routes, in the order of the document.
std::span<const Route> routes();

}  // namespace epe::gateway
