#include "http_front.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <random>
#include <string_view>

#include <strings.h>

#include "api_error.h"
#include "bearer.h"
#include "client_address.h"
#include "client_watch.h"
#include "current_client.h"
#include "error_answer.h"
#include "log.h"
#include "server.h"
#include "status_of.h"

namespace epe::gateway {

namespace {

constexpr int kOk = 200;
constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;
constexpr int kTooLarge = 413;
constexpr int kClientGone = 499;  // appears only in the log
constexpr int kInternal = 500;
constexpr const char* kNoRoute = "(none)";
constexpr const char* kOtherMethod = "method not allowed for this path";

std::string make_request_id() {
    static const auto kStart = static_cast<unsigned long long>(std::random_device{}());
    static std::atomic<unsigned long long> number{0};
    std::array<char, 32> text{};
    (void)std::snprintf(text.data(), text.size(), "%08llx-%llx", kStart, ++number);
    return text.data();
}

bool is_body_method(const std::string& method) {
    return method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
}

/// The framing headers of a request. Collected in one pass: each lookup in httplib's map folds the
/// case of names again.
struct BodyHeaders {
    std::size_t lengths = 0;
    std::size_t codings = 0;
    std::string_view length{};  ///< Content-Length
    std::string_view coding{};  ///< Transfer-Encoding
    bool is_multipart = false;

    bool have_body() const { return codings > 0 || (lengths > 0 && length != "0"); }
};

BodyHeaders body_headers_of(const httplib::Request& request) {
    BodyHeaders found;
    for (const auto& [name, value] : request.headers) {
        if (strcasecmp(name.c_str(), "Content-Length") == 0) {
            ++found.lengths;
            found.length = value;
        } else if (strcasecmp(name.c_str(), "Transfer-Encoding") == 0) {
            ++found.codings;
            found.coding = value;
        } else if (strcasecmp(name.c_str(), "Content-Type") == 0) {
            found.is_multipart = found.is_multipart || value.starts_with("multipart/");
        }
    }
    return found;
}

std::vector<std::string> values_of(const httplib::Request& request, const char* name) {
    std::vector<std::string> values;
    const auto [first, end] = request.headers.equal_range(name);
    for (auto each = first; each != end; ++each) values.push_back(each->second);
    return values;
}

std::string http_date() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 40> text{};
    (void)std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text.data();
}

}  // namespace

/// One request being handled.
struct HttpFront::Call {
    ClientStream& client;
    RouteMatch match{};
    std::optional<ApiError> refusal{};  ///< error found in the head
    bool is_body_unread = false;        ///< the connection cannot be reused
    bool is_v1 = false;
    std::string path{};  ///< decoded by httplib
    std::string user{};  ///< user of the token
    std::string request_id{};
    std::string method{};
    std::string address{};  ///< client, possibly as named by a trusted proxy
    std::string failure{};  ///< errorMessage, for the log
    int status = 0;
    std::unique_ptr<Users::Visit> visit{};  ///< kept until the response is written
    std::chrono::steady_clock::time_point start{std::chrono::steady_clock::now()};
};

HttpFront::Call*& HttpFront::current() {
    static thread_local Call* call = nullptr;
    return call;
}

HttpFront::HttpFront(Gateway& gateway, int listening) : gateway_(gateway), router_(routes()) {
    svr_sock_ = listening;
    const auto& options = gateway.options();
    set_keep_alive_max_count(1'000'000);
    set_keep_alive_timeout(options.keep_alive.count());
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
        return begin(request, response);
    });
    set_post_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
        add_headers(request, response);
    });
    set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
        if (response.body.empty()) refuse_head(request, response);
    });
    set_logger([](const httplib::Request&, const httplib::Response& response) {
        if (current() != nullptr) current()->status = response.status;
    });
    const auto read = [this](const httplib::Request& request, httplib::Response& response,
                             const httplib::ContentReader& reader) {
        read_body(request, response, reader);
    };
    // set_up() rewrites every path to this one.
    Post("/", read);
    Put("/", read);
    Patch("/", read);
    Delete("/", read);
}

/// Newer versions of httplib also want addresses, which they pass to handlers.
template <typename Front, typename SetUp>
bool HttpFront::process(Front& front, ClientStream& client, bool is_last, bool& is_closed,
                        SetUp set_up) {
    if constexpr (requires { front.process_request(client, is_last, is_closed, set_up); })
        return front.process_request(client, is_last, is_closed, set_up);
    else
        return front.process_request(client, {}, 0, {}, 0, is_last, is_closed, set_up);
}

bool HttpFront::serve(ClientStream& client, bool is_last) {
    Call call{client};
    current() = &call;
    const CurrentClient watched(client.socket());
    client.begin_head();
    bool is_closed = false;
    bool is_kept = false;
    try {
        is_kept = process(*this, client, is_last, is_closed,
                          [&](httplib::Request& request) { set_up(call, request); });
        is_kept = client.flush() && is_kept;
    } catch (const std::exception& error) {
        // An error within a streamed response: only closing the connection can report it.
        call.failure = error.what();
        call.status = kInternal;
        is_kept = false;
    }
    current() = nullptr;
    if (call.status != 0) finish(call, client);
    if (call.is_body_unread) client.linger();
    return is_kept && !is_closed && !is_last && !call.is_body_unread && call.status != kClientGone;
}

// ------------------------------------------------------------------------------------ the head

/// Finds the route, and disables httplib's own handling of ranges, compression, routing by regular
/// expressions and bodies that end with the connection.
void HttpFront::set_up(Call& call, httplib::Request& request) const {
    constexpr std::size_t kFraming = std::size_t{64}
                                     << 10;  // framing overhead of a body in many small chunks
    const auto& options = gateway_.options();
    call.client.begin_body(2 * options.max_body + kFraming,
                           request.has_header("Transfer-Encoding"));
    call.address = call.client.address();
    if (!options.trusted_proxies.empty())
        call.address = client_address(call.address, values_of(request, "X-Forwarded-For"),
                                      options.trusted_proxies);
    request.remote_addr = call.address;
    call.start = std::chrono::steady_clock::now();
    call.request_id = make_request_id();
    call.method = request.method;
    call.path = request.path;
    const std::vector<std::string> path = split_target(request.target);
    call.is_v1 = path.size() > 3 && path[2] == "py-scripts" && path[3] == "v1";
    call.match = router_.find(request.method, path);
    if (path.empty())
        call.refusal.emplace(kBadRequest, "the path is malformed");
    else if (call.match.path_template.empty())
        call.refusal.emplace(kNotFound, "the path does not exist");
    else if (call.match.route == nullptr)
        call.refusal.emplace(kMethodNotAllowed, kOtherMethod);
    const bool is_length_missing = !check_body_headers(call, request);
    request.path = "/";
    request.ranges.clear();
    request.headers.erase("Range");
    const bool takes_gzip =
        request.get_header_value("Accept-Encoding").find("gzip") != std::string::npos;
    request.headers.erase("Accept-Encoding");
    if (takes_gzip) request.headers.emplace("Accept-Encoding", "gzip");
    if (is_length_missing) request.headers.emplace("Content-Length", "0");
}

/// False: the head announces no body.
bool HttpFront::check_body_headers(Call& call, const httplib::Request& request) const {
    const BodyHeaders headers = body_headers_of(request);
    const auto refuse = [&](int status, const char* message) {
        call.refusal.emplace(status, message);
        call.is_body_unread = true;
        return true;
    };
    // A proxy must not be able to interpret the bytes as different requests than the gateway does.
    if (headers.lengths > 1 || headers.codings > 1 ||
        (headers.codings > 0 &&
         (headers.lengths > 0 || request.version == "HTTP/1.0" || headers.coding != "chunked")))
        return refuse(kBadRequest, "the length of the body is ambiguous");
    constexpr std::size_t kMostDigits = 18;
    if (headers.length.find_first_not_of("0123456789") != std::string::npos ||
        (headers.length.empty() && headers.lengths > 0) || headers.length.size() > kMostDigits)
        return refuse(kBadRequest, "Content-Length is not a number");
    const std::size_t most = gateway_.options().max_body;
    if (!headers.length.empty() && std::stoull(std::string(headers.length)) > most)
        return refuse(kTooLarge, "the body is too long");
    if (headers.is_multipart) return refuse(kBadRequest, "the body must be JSON");
    // httplib does not read the bodies of these methods.
    if (headers.have_body() && !is_body_method(request.method)) call.is_body_unread = true;
    return headers.lengths + headers.codings > 0;
}

// ------------------------------------------------------------------------------------- answers

/// Responses that httplib generates: the head is malformed, incomplete at the timeout, or has an
/// unknown method. The start of the next request is then unknown.
void HttpFront::refuse_head(const httplib::Request& request, httplib::Response& response) {
    Call& call = *current();
    call.is_body_unread = true;
    const RouteMatch match = router_.find(request.method, split_target(request.target));
    const bool is_other_method =
        call.method.empty() && match.route == nullptr && !match.path_template.empty();
    if (is_other_method) {
        fill_error(response, ApiError(kMethodNotAllowed, kOtherMethod));
        response.set_header("Allow", match.allowed);
    } else {
        fill_error(response, ApiError(response.status, "the request is malformed or too late"));
    }
    response.set_header("Connection", "close");
}

HttpFront::HandlerResponse HttpFront::begin(const httplib::Request& request,
                                            httplib::Response& response) {
    Call& call = *current();
    if (is_body_method(request.method) && !call.is_body_unread) return HandlerResponse::Unhandled;
    answer(call, request, response);
    return HandlerResponse::Handled;
}

void HttpFront::read_body(const httplib::Request& request, httplib::Response& response,
                          const httplib::ContentReader& reader) {
    Call& call = *current();
    // The request is const only in the signature. The body may have been compressed.
    std::string& body = const_cast<httplib::Request&>(request).body;
    bool is_too_long = false;
    const bool is_whole = reader([&](const char* data, std::size_t size) {
        is_too_long = body.size() + size > gateway_.options().max_body;
        if (!is_too_long) body.append(data, size);
        return !is_too_long;
    });
    // Newer versions of httplib accept a body even if the data after its last chunk are rejected.
    if (!is_whole || !call.client.has_whole_body()) {
        call.is_body_unread = true;
        if (!call.refusal)
            call.refusal.emplace(is_too_long ? kTooLarge : kBadRequest,
                                 is_too_long ? "the body is too long" : "the body is malformed");
    }
    answer(call, request, response);
}

void HttpFront::answer(Call& call, const httplib::Request& request, httplib::Response& response) {
    response.status = -1;
    const auto fail = [&](const ApiError& error) {
        call.failure = error.what();
        fill_error(response, error);
    };
    try {
        run_handler(call, request, response);
        if (response.status == -1) response.status = kOk;
    } catch (const ApiError& error) {
        fail(error);
    } catch (const DatabaseError& error) {
        fail(to_api_error(error));
    } catch (const ClientGone&) {
        gateway_.metrics().count_cancelled_statement();
        fail(ApiError(kClientGone, "the client has disconnected"));
    } catch (const std::exception& error) {
        log_event(LogLevel::kError, "handler failed",
                  {{"request", call.request_id}, {"message", error.what()}});
        fail(ApiError(kInternal, std::string("internal error: ") + error.what()));
    }
    if (response.status == kMethodNotAllowed) response.set_header("Allow", call.match.allowed);
    if (call.is_body_unread) response.set_header("Connection", "close");
}

void HttpFront::run_handler(Call& call, const httplib::Request& request,
                            httplib::Response& response) {
    if (call.refusal) throw ApiError(*call.refusal);
    const_cast<httplib::Request&>(request).path = call.path;
    const Route& route = *call.match.route;
    if (route.access == Access::kToken) {
        call.user = require_user(request, gateway_.tokens());
        call.visit = gateway_.users().visit(call.user);
        if (!call.visit) throw unauthorized("the token is not valid");
    }
    ClientWatch watch(request);
    Exchange exchange{
        request, response, call.match.path, watch, call.visit ? &call.visit->session() : nullptr,
        gateway_};
    route.handler(exchange);
}

/// Oracle's default headers (compatibility.md, REST-3), unless the handler has set its own.
void HttpFront::add_headers(const httplib::Request&, httplib::Response& response) const {
    static const httplib::Headers kAlways{{"Cache-Control", "no-cache, no-store, must-revalidate"},
                                          {"Pragma", "no-cache"},
                                          {"Expires", "Thu, 01 Jan 1970 00:00:00 GMT"},
                                          {"X-Frame-Options", "SAMEORIGIN"},
                                          {"X-XSS-Protection", "1;mode=block"},
                                          {"X-Content-Type-Options", "nosniff"},
                                          {"Content-Security-Policy", "frame-ancestors 'none'"}};
    for (const auto& each : kAlways)
        if (!response.has_header(each.first)) response.headers.insert(each);
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty() && !response.has_header(name)) response.set_header(name, value);
    };
    const auto& options = gateway_.options();
    add("Date", http_date());
    if (options.has_tls()) add("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    constexpr int kUnauthorized = 401;
    if (response.status == kUnauthorized) add("WWW-Authenticate", "Bearer");
    if (current() == nullptr) return;
    add("X-Request-Id", current()->request_id);
    if (!current()->is_v1) return;
    add("Deprecation", options.v1_deprecation);
    add("Sunset", options.v1_sunset);
}

void HttpFront::finish(const Call& call, const ClientStream& client) const {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - call.start;
    const std::string route =
        call.match.path_template.empty() ? kNoRoute : call.match.path_template;
    gateway_.metrics().count_request(route, call.method, call.status, seconds.count());
    LogLine line(call.status >= kInternal ? LogLevel::kError : LogLevel::kInfo, "request");
    line.add("request", call.request_id)
        .add("method", call.method)
        .add("path", route)
        .add("status", call.status)
        .add("milliseconds", std::round(seconds.count() * 1e6) / 1e3)
        .add("address", call.address.empty() ? client.address() : call.address);
    if (!call.user.empty()) line.add("user", call.user);
    if (call.status >= kInternal && !call.failure.empty()) line.add("message", call.failure);
    line.write();
}

}  // namespace epe::gateway
