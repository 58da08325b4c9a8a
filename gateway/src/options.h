// What the command line says.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "client_address.h"

namespace epe::gateway {

/// An option that cannot be: the text is for the operator.
struct OptionError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    using Seconds = std::chrono::seconds;

    std::string host{"127.0.0.1"};  ///< without the brackets of an IPv6 address
    int port = 8080;                ///< 0: any that is free
    std::string database{};         ///< conninfo or URI of libpq, without user and password

    std::string tls_certificate{};  ///< PEM files; both or none
    std::string tls_key{};
    bool allow_plain_http = false;  ///< on addresses beyond this machine

    std::size_t max_clients = 1024;            ///< open HTTP connections
    std::size_t max_body = 1 << 20;            ///< bytes of a request's body
    std::vector<IpNetwork> trusted_proxies{};  ///< whose X-Forwarded-For counts
    Seconds keep_alive{60};                    ///< after which an idle HTTP connection is closed
    Seconds grace{30};                         ///< that running requests get at the end

    std::size_t connections_per_user = 8;  ///< to the database
    std::size_t max_connections = 100;     ///< to the database, in all
    Seconds connection_idle{60};           ///< after which one is closed
    Seconds connection_wait{30};           ///< that a request waits for one
    Seconds reauthenticate{30};            ///< after which a connection must log in again

    Seconds token_life{3600};
    Seconds token_chain{8 * 3600};  ///< from the first token, through all refreshes
    std::size_t tokens_per_user = 1000;
    std::size_t max_tokens = 100'000;

    int output_limit = 5000;             ///< oml_epe.output_limit of every session; 0: left alone
    std::size_t max_result = 256 << 20;  ///< oml_epe.output_bytes; 0: left alone

    std::string public_url{};      ///< what stands before a path in URLs; empty: from the request
    std::string v1_deprecation{};  ///< headers Deprecation and Sunset of v1; empty: none
    std::string v1_sunset{};

    bool has_tls() const { return !tls_certificate.empty(); }
    bool is_loopback() const;
};

/// `words` without the program's name. Throws OptionError.
Options parse_options(const std::vector<std::string>& words);

/// "host:port", IPv6 in brackets.
std::string address_text(const std::string& host, int port);

/// What --help prints.
std::string options_help();

}  // namespace epe::gateway
