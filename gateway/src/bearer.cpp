#include "bearer.h"

#include <strings.h>

#include <httplib.h>

namespace epe::gateway {

namespace {

constexpr int kUnauthorized = 401;
constexpr std::string_view kScheme = "Bearer ";

}  // namespace

ApiError unauthorized(const std::string& message) { return {kUnauthorized, message}; }

std::string bearer_token(const httplib::Request& request) {
    if (!request.has_header("Authorization")) return {};
    const std::string header = request.get_header_value("Authorization");
    if (strncasecmp(header.c_str(), kScheme.data(), kScheme.size()) != 0)
        throw unauthorized("the authorization must be a bearer token");
    const auto start = header.find_first_not_of(' ', kScheme.size());
    const auto end = header.find_last_not_of(' ');
    if (start == std::string::npos) throw unauthorized("the token is missing");
    return header.substr(start, end - start + 1);
}

std::string require_user(const httplib::Request& request, const Tokens& tokens) {
    const std::string token = bearer_token(request);
    if (token.empty()) throw unauthorized("a bearer token is required");
    Tokens::Found found = tokens.find(token);
    if (found.state == Tokens::State::kExpired) throw unauthorized("the token has expired");
    if (found.state != Tokens::State::kValid) throw unauthorized("the token is not valid");
    return std::move(found.user);
}

}  // namespace epe::gateway
