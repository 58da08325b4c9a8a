#include "answer.h"

#include <httplib.h>

#include <algorithm>

#include "api_error.h"
#include "options.h"
#include "server.h"

namespace epe::gateway {
namespace {

std::string without_zero(const std::string& text, const char* name) {
    if (text.find('\0') != std::string::npos)
        throw ApiError(400, "\"" + std::string(name) + "\" must not contain a zero byte");
    return text;
}

/// Whether the text is only a host name or address with an optional port, safe to put into a URL.
bool is_host(const std::string& text) {
    constexpr std::size_t kLongest = 255;
    const auto is_allowed = [](unsigned char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '.' || c == '-' || c == ':' || c == '[' || c == ']' || c == '_';
    };
    return !text.empty() && text.size() <= kLongest &&
           std::all_of(text.begin(), text.end(), is_allowed);
}

}  // namespace

void answer_json(Exchange& exchange, int status, const Json& body) {
    exchange.response.status = status;
    exchange.response.set_content(to_text(body), kJsonType);
}

std::string path_text(const Exchange& exchange, const char* name) {
    return without_zero(exchange.path.at(name), name);
}

std::optional<std::string> query_text(const Exchange& exchange, const char* name) {
    if (!exchange.request.has_param(name)) return std::nullopt;
    return without_zero(exchange.request.get_param_value(name), name);
}

const Options& options_of(const Exchange& exchange) { return exchange.gateway.options(); }

std::string base_url(const Exchange& exchange) {
    const Options& options = options_of(exchange);
    if (!options.public_url.empty()) {
        std::string url = options.public_url;
        while (url.ends_with('/')) url.pop_back();
        return url;
    }
    std::string host = exchange.request.get_header_value("Host");
    if (!is_host(host)) host = address_text(options.host, options.port);
    return (options.has_tls() ? "https://" : "http://") + host;
}

const char* version_name(ApiVersion version) { return version == ApiVersion::kV1 ? "v1" : "v2"; }

std::string version_url(const Exchange& exchange, ApiVersion version) {
    return base_url(exchange) + "/oml/api/py-scripts/" + version_name(version);
}

}  // namespace epe::gateway
