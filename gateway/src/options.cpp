#include "options.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>

#include <arpa/inet.h>
#include <libpq-fe.h>

namespace epe::gateway {

namespace {

using Set = std::function<void(Options&, const std::string&)>;

struct OptionRow {
    const char* name;
    const char* value;  ///< placeholder in the help text; null if the option takes no value
    const char* help;
    Set set;
};

template <typename T>
T parse_number(const std::string& text, std::int64_t least, std::int64_t most) {
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || number < least || number > most)
        throw OptionError("\"" + text + "\" is not a number from " + std::to_string(least) +
                          " to " + std::to_string(most));
    return static_cast<T>(number);
}

constexpr std::int64_t kYear = 366LL * 86400;

Set seconds(Options::Seconds Options::*member, std::int64_t least = 1) {
    return [=](Options& options, const std::string& text) {
        options.*member = Options::Seconds(parse_number<std::int64_t>(text, least, kYear));
    };
}

Set count(std::size_t Options::*member, std::int64_t most, std::int64_t least = 1) {
    return [=](Options& options, const std::string& text) {
        options.*member = parse_number<std::size_t>(text, least, most);
    };
}

Set text(std::string Options::*member) {
    return [=](Options& options, const std::string& value) { options.*member = value; };
}

void set_address(Options& options, const std::string& value) {
    const auto colon = value.rfind(':');
    const std::string port = colon == std::string::npos ? value : value.substr(colon + 1);
    std::string host = colon == std::string::npos ? options.host : value.substr(0, colon);
    constexpr int kMostPort = std::numeric_limits<std::uint16_t>::max();
    options.port = parse_number<int>(port, 0, kMostPort);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string::npos)
        throw OptionError("an IPv6 address must be in brackets: [" + host + "]:" + port);
    if (host.empty())
        throw OptionError("\"" + value + "\" contains no host; use 0.0.0.0 for all addresses");
    options.host = host;
}

void add_proxies(Options& options, const std::string& value) {
    std::size_t start = 0;
    while (start <= value.size()) {
        const std::size_t end = std::min(value.find(',', start), value.size());
        const std::string each = value.substr(start, end - start);
        const auto network = IpNetwork::parse(each);
        if (!network) throw OptionError("\"" + each + "\" is neither an address nor a network");
        options.trusted_proxies.push_back(*network);
        start = end + 1;
    }
}

/// The gateway logs in only as its users, so user or password here is an error.
void set_database(Options& options, const std::string& value) {
    char* message = nullptr;
    PQconninfoOption* fields = PQconninfoParse(value.c_str(), &message);
    if (fields == nullptr) {
        std::string why = message != nullptr ? message : "out of memory";
        PQfreemem(message);
        while (!why.empty() && why.back() == '\n') why.pop_back();
        throw OptionError(why);
    }
    std::string refused;
    for (const PQconninfoOption* each = fields; each->keyword != nullptr; ++each) {
        const std::string_view keyword = each->keyword;
        if (each->val != nullptr && (keyword == "user" || keyword == "password" ||
                                     keyword == "passfile" || keyword == "service"))
            refused = keyword;
    }
    PQconninfoFree(fields);
    if (!refused.empty())
        throw OptionError("\"" + refused +
                          "\" cannot be given: the gateway logs in as the user of each request");
    options.database = value;
}

const std::vector<OptionRow>& rows() {
    static const std::vector<OptionRow> kRows{
        {"--listen", "HOST:PORT", "address to listen on (127.0.0.1:8080); port 0: any free port",
         set_address},
        {"--db", "CONNINFO", "database, as for psql, without user and password", set_database},
        {"--tls-cert", "FILE", "certificate chain, PEM; enables HTTPS",
         text(&Options::tls_certificate)},
        {"--tls-key", "FILE", "its private key, PEM", text(&Options::tls_key)},
        {"--allow-plain-http", nullptr, "serve without TLS on an address other machines can reach",
         [](Options& options, const std::string&) { options.allow_plain_http = true; }},
        {"--trusted-proxy", "ADDRESS[/BITS]",
         "proxy whose X-Forwarded-For is used; may be repeated or be a comma-separated list",
         add_proxies},
        {"--max-clients", "N", "open HTTP connections (1024)",
         count(&Options::max_clients, 1'000'000)},
        {"--max-body", "BYTES", "maximum size of a request body (1048576)",
         count(&Options::max_body, 1LL << 30)},
        {"--keep-alive", "SECONDS", "idle timeout of HTTP connections (60)",
         seconds(&Options::keep_alive)},
        {"--grace", "SECONDS", "time for running requests at shutdown (30)",
         seconds(&Options::grace, 0)},
        {"--connections-per-user", "N", "database connections of one user (8)",
         count(&Options::connections_per_user, 10'000)},
        {"--max-connections", "N", "database connections of all users (100)",
         count(&Options::max_connections, 100'000)},
        {"--connection-idle", "SECONDS", "idle timeout of database connections (60)",
         seconds(&Options::connection_idle)},
        {"--connection-wait", "SECONDS", "time a request waits for a connection (30)",
         seconds(&Options::connection_wait)},
        {"--reauthenticate", "SECONDS", "time after which a connection logs in again (30)",
         seconds(&Options::reauthenticate, 0)},
        {"--token-life", "SECONDS", "lifetime of a token (3600)", seconds(&Options::token_life)},
        {"--token-chain", "SECONDS", "time a token can be refreshed (28800)",
         seconds(&Options::token_chain)},
        {"--tokens-per-user", "N", "tokens of one user (1000)",
         count(&Options::tokens_per_user, 1'000'000)},
        {"--max-tokens", "N", "tokens of all users (100000)",
         count(&Options::max_tokens, 10'000'000)},
        {"--output-limit", "N",
         "maximum rows or items of a result (5000); 0: the database's setting",
         [](Options& options, const std::string& value) {
             options.output_limit = parse_number<int>(value, 0, std::numeric_limits<int>::max());
         }},
        {"--max-result", "BYTES",
         "maximum size of a JSON result (268435456); 0: the database's setting",
         count(&Options::max_result, 1LL << 30, 0)},
        {"--public-url", "URL", "URL prefix used by clients (taken from the request)",
         text(&Options::public_url)},
        {"--v1-deprecation", "VALUE", "header Deprecation of v1 (none)",
         text(&Options::v1_deprecation)},
        {"--v1-sunset", "DATE", "header Sunset of v1 (none)", text(&Options::v1_sunset)},
    };
    return kRows;
}

void check_whole(const Options& options) {
    if (options.tls_certificate.empty() != options.tls_key.empty())
        throw OptionError("--tls-cert and --tls-key must be given together");
    if (!options.has_tls() && !options.allow_plain_http && !options.is_loopback())
        throw OptionError("other machines can reach " + options.host +
                          ": passwords need TLS there (--tls-cert and --tls-key), or use "
                          "--allow-plain-http");
    if (options.token_chain < options.token_life)
        throw OptionError("--token-chain is shorter than --token-life");
}

}  // namespace

bool Options::is_loopback() const {
    in_addr four{};
    in6_addr six{};
    constexpr std::uint32_t kLoopbackNet = 127;
    if (inet_pton(AF_INET, host.c_str(), &four) == 1)
        return ntohl(four.s_addr) >> 24 == kLoopbackNet;
    if (inet_pton(AF_INET6, host.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
    return host == "localhost";
}

Options parse_options(const std::vector<std::string>& words) {
    Options options;
    std::size_t next = 0;
    while (next < words.size()) {
        const std::string& word = words[next++];
        const auto equals = word.find('=');
        const std::string name = word.substr(0, equals);
        const auto row = std::find_if(rows().begin(), rows().end(),
                                      [&](const OptionRow& each) { return each.name == name; });
        if (row == rows().end()) throw OptionError("unknown option \"" + name + "\", see --help");
        std::string value;
        if (row->value == nullptr) {
            if (equals != std::string::npos) throw OptionError(name + " takes no value");
        } else if (equals != std::string::npos) {
            value = word.substr(equals + 1);
        } else if (next < words.size()) {
            value = words[next++];
        } else {
            throw OptionError(name + " needs a value: " + row->value);
        }
        try {
            row->set(options, value);
        } catch (const OptionError& error) {
            throw OptionError(name + ": " + error.what());
        }
    }
    check_whole(options);
    return options;
}

std::string address_text(const std::string& host, int port) {
    const bool is_six = host.find(':') != std::string::npos;
    return (is_six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string options_help() {
    constexpr std::size_t kColumn = 34;
    std::string help = "oml_epe_gateway: the REST API of oml_epe in front of a PostgreSQL\n\n";
    for (const OptionRow& each : rows()) {
        std::string line = std::string("  ") + each.name;
        if (each.value != nullptr) line += std::string(" ") + each.value;
        line.resize(std::max(line.size() + 1, kColumn), ' ');
        help += line + each.help + "\n";
    }
    return help + "\n  SIGTERM ends it after running requests have finished; SIGHUP reloads the "
                  "certificate "
                  "again\n";
}

}  // namespace epe::gateway
