// Command line options.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "client_address.h"

namespace epe::gateway {

/// An invalid option; the message is for the operator.
struct OptionError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    using Seconds = std::chrono::seconds;

    std::string host{"127.0.0.1"};  ///< without the brackets of an IPv6 address
    int port = 8080;                ///< 0: any that is free
    std::string database{};         ///< conninfo or URI of libpq, without user and password

    std::string tls_certificate{};  ///< PEM files; both must be set or neither
    std::string tls_key{};
    bool allow_plain_http = false;  ///< also on addresses other machines can reach

    std::size_t max_clients = 1024;            ///< maximum open HTTP connections
    std::size_t max_body = 1 << 20;            ///< maximum size of a request body
    std::vector<IpNetwork> trusted_proxies{};  ///< proxies whose X-Forwarded-For is used
    Seconds keep_alive{60};                    ///< idle timeout of HTTP connections
    Seconds grace{30};                         ///< time for running requests at shutdown

    std::size_t connections_per_user = 8;  ///< database connections of one user
    std::size_t max_connections = 100;     ///< database connections of all users
    Seconds connection_idle{60};           ///< idle timeout of a database connection
    Seconds connection_wait{30};           ///< time a request waits for a connection
    Seconds reauthenticate{30};            ///< age at which a connection must log in again

    Seconds token_life{3600};
    Seconds token_chain{8 * 3600};  ///< from the first token, through all refreshes
    std::size_t tokens_per_user = 1000;
    std::size_t max_tokens = 100'000;

    int output_limit = 5000;             ///< oml_epe.output_limit of every session; 0: left alone
    std::size_t max_result = 256 << 20;  ///< oml_epe.output_bytes; 0: left alone

    std::string public_url{};      ///< URL prefix of links; empty: taken from the request
    std::string v1_deprecation{};  ///< headers Deprecation and Sunset of v1; empty: none
    std::string v1_sunset{};

    bool has_tls() const { return !tls_certificate.empty(); }
    bool is_loopback() const;
};

/// `words`: the arguments without the program's name. Throws OptionError.
Options parse_options(const std::vector<std::string>& words);

/// "host:port", IPv6 in brackets.
std::string address_text(const std::string& host, int port);

/// The text of --help.
std::string options_help();

}  // namespace epe::gateway
