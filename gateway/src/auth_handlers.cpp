#include "auth_handlers.h"

#include <httplib.h>
#include <openssl/crypto.h>

#include "bearer.h"
#include "log.h"
#include "secret.h"
#include "server.h"

namespace epe::gateway {

namespace {

using nlohmann::json;

constexpr int kBadRequest = 400;
constexpr int kTooMany = 429;
constexpr std::size_t kLongestName = 63;  // PostgreSQL truncates longer names

/// A parsed body that is wiped together with the request's text: it may contain a password.
class SecretBody {
   public:
    explicit SecretBody(const httplib::Request& request)
        // The request is const only in the signature; the object passed by httplib is not.
        : text_(const_cast<httplib::Request&>(request).body), body_(parse(text_)) {
        // The parser treats a NUL as the end of the text.
        if (body_.is_object() && text_.find('\0') == std::string::npos) return;
        wipe_all();
        throw ApiError(kBadRequest, "the body must be a JSON object");
    }
    SecretBody(const SecretBody&) = delete;
    SecretBody& operator=(const SecretBody&) = delete;
    ~SecretBody() { wipe_all(); }

    bool has(const char* name) const { return body_.contains(name); }
    /// A string member without NUL; throws ApiError 400.
    const std::string& text(const char* name) const {
        const auto found = body_.find(name);
        if (found == body_.end()) throw ApiError(kBadRequest, quoted(name) + " is missing");
        if (!found->is_string()) throw ApiError(kBadRequest, quoted(name) + " must be a string");
        const auto& value = found->get_ref<const std::string&>();
        if (value.find('\0') != std::string::npos)
            throw ApiError(kBadRequest, quoted(name) + " must not contain a null character");
        return value;
    }

   private:
    /// The endpoint is public, so the body must be short and flat.
    static json parse(const std::string& text) {
        constexpr std::size_t kLongest = std::size_t{64} << 10;
        if (text.size() > kLongest) return {};
        bool is_flat = true;
        json body = json::parse(
            text,
            [&](int depth, json::parse_event_t, json&) {
                is_flat = is_flat && depth <= 1;
                return is_flat;
            },
            /* allow_exceptions */ false);
        return is_flat ? body : json();
    }
    static std::string quoted(const char* name) { return "\"" + std::string(name) + "\""; }
    void wipe_all() {
        OPENSSL_cleanse(text_.data(), text_.size());
        for (json& member : body_) {
            if (!member.is_string()) continue;
            auto& value = member.get_ref<std::string&>();
            OPENSSL_cleanse(value.data(), value.size());
        }
    }

    std::string& text_;
    json body_;
};

void answer_token(Exchange& exchange, const Tokens::Issued& issued) {
    // Compact and on one line: clients extract it with a regular expression.
    const nlohmann::ordered_json body{{"accessToken", issued.token},
                                      {"expiresIn", issued.expires_in.count()},
                                      {"tokenType", "Bearer"}};
    exchange.response.set_content(body.dump(), "application/json");
}

[[noreturn]] void refuse_for(Exchange& exchange, Throttle::Seconds delay, const char* why) {
    exchange.response.set_header("Retry-After", std::to_string(delay.count()));
    throw ApiError(kTooMany, why);
}

void log_in(Exchange& exchange, const SecretBody& body) {
    const std::string& user = body.text("username");
    Secret password(body.text("password"));
    // Neither can be valid, so the database is not asked.
    if (user.empty() || user.size() > kLongestName || password.is_empty())
        throw unauthorized("invalid user name or password");
    Gateway& gateway = exchange.gateway;
    const std::string& address = exchange.request.remote_addr;
    Throttle::Seconds refused{};
    std::optional<Throttle::Attempt> attempt = gateway.throttle().begin(user, address, refused);
    if (!attempt) {
        gateway.metrics().count_throttled_login();
        log_event(LogLevel::kWarning, "login throttled", {{"user", user}, {"address", address}});
        refuse_for(exchange, refused, "too many failed logins, try again later");
    }
    try {
        const std::optional<Tokens::Issued> issued =
            gateway.users().log_in(user, std::move(password));
        attempt->succeed();
        if (!issued) refuse_for(exchange, Throttle::Seconds{60}, "too many tokens");
        log_event(LogLevel::kInfo, "login", {{"user", user}, {"address", address}});
        answer_token(exchange, *issued);
    } catch (const LoginRefused&) {
        attempt->fail();
        gateway.metrics().count_failed_login();
        throw unauthorized("invalid user name or password");
    }
}

/// The token in the body or in the header; if both are given they must be equal.
std::string named_token(const Exchange& exchange, const SecretBody* body) {
    std::string token = bearer_token(exchange.request);
    for (const char* name : {"refresh_token", "token"}) {
        if (body == nullptr || !body->has(name)) continue;
        const std::string& named = body->text(name);
        if (!token.empty() && token != named)
            throw ApiError(kBadRequest, "the request contains different tokens");
        token = named;
    }
    return token;
}

}  // namespace

void issue_token(Exchange& exchange) {
    const SecretBody body(exchange.request);
    const std::string& grant = body.text("grant_type");
    if (grant == "password") return log_in(exchange, body);
    if (grant != "refresh_token")
        throw ApiError(kBadRequest, "\"grant_type\" must be \"password\" or \"refresh_token\"");
    const std::string token = named_token(exchange, &body);
    if (token.empty()) throw ApiError(kBadRequest, "\"refresh_token\" is missing");
    const std::optional<Tokens::Issued> issued = exchange.gateway.tokens().refresh(token);
    if (!issued) throw unauthorized("the token is invalid or can no longer be refreshed");
    answer_token(exchange, *issued);
}

void revoke_token(Exchange& exchange) {
    std::optional<SecretBody> body;
    if (!exchange.request.body.empty()) body.emplace(exchange.request);
    const std::string token = named_token(exchange, body ? &*body : nullptr);
    if (token.empty()) throw ApiError(kBadRequest, "\"token\" is missing");
    // RFC 7009: an invalid token does not cause an error response.
    if (exchange.gateway.tokens().revoke(token))
        log_event(LogLevel::kInfo, "token revoked", {{"address", exchange.request.remote_addr}});
    exchange.response.set_content("{}", "application/json");
}

}  // namespace epe::gateway
