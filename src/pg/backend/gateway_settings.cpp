// The settings of the REST gateway that the server starts.
#include "pg/backend/gateway_settings.h"

#include <sstream>
#include <string_view>

extern "C" {
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/guc.h"
}

#ifndef EPE_GATEWAY_PROGRAM
#define EPE_GATEWAY_PROGRAM "oml_epe_gateway"
#endif

namespace epe::pg {

namespace {

// Written by PostgreSQL, which owns the texts.
char* gateway_listen = nullptr;
char* gateway_database = nullptr;
char* gateway_tls_cert = nullptr;
char* gateway_tls_key = nullptr;
char* gateway_options = nullptr;

bool check_listen(char** text, void**, GucSource) noexcept {
    if (*text == nullptr || **text == '\0' || strrchr(*text, ':') != nullptr) return true;
    GUC_check_errdetail("Value must be an address and a port, as in 127.0.0.1:8080.");
    return false;
}

/// The first item of a comma-separated list, trimmed.
std::string first_of(const char* list) {
    std::string_view word = list != nullptr ? list : "";
    word = word.substr(0, word.find(','));
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (word.size() > 1 && word.starts_with('"') && word.ends_with('"'))
        word = word.substr(1, word.size() - 2);
    return std::string(word);
}

std::string quoted(const std::string& value) {
    std::string text = "'";
    for (const char each : value) {
        if (each == '\'' || each == '\\') text += '\\';
        text += each;
    }
    return text + "'";
}

/// Where this server listens: a TCP address if there is one, since pg_hba.conf seldom requires
/// passwords for the socket.
std::string own_host() {
    std::string host = first_of(ListenAddresses);
    if (host.empty()) return first_of(Unix_socket_directories);
    if (host == "*") return "localhost";
    if (host == "0.0.0.0") return "127.0.0.1";
    if (host == "::") return "::1";
    return host;
}

}  // namespace

void define_gateway_settings() noexcept {
    DefineCustomStringVariable(
        "oml_epe.gateway_listen", "Sets the address and port of the server's REST gateway.",
        "An empty value disables the gateway. It requires shared_preload_libraries.",
        &gateway_listen, "", PGC_SIGHUP, 0, check_listen, nullptr, nullptr);
    DefineCustomStringVariable("oml_epe.gateway_database",
                               "Sets the connection string of the gateway's database.",
                               "An empty value means database postgres of this server.",
                               &gateway_database, "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("oml_epe.gateway_tls_cert",
                               "Sets the certificate file of the gateway.", nullptr,
                               &gateway_tls_cert, "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("oml_epe.gateway_tls_key",
                               "Sets the private key file of the gateway.", nullptr,
                               &gateway_tls_key, "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("oml_epe.gateway_options",
                               "Sets further command-line options of the gateway.", nullptr,
                               &gateway_options, "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

std::vector<std::string> gateway_command() {
    if (*gateway_listen == '\0') return {};
    const std::string database = *gateway_database != '\0'
                                     ? gateway_database
                                     : "host=" + quoted(own_host()) +
                                           " port=" + std::to_string(PostPortNumber) +
                                           " dbname=postgres";
    std::vector<std::string> command{EPE_GATEWAY_PROGRAM, "--listen", gateway_listen, "--db",
                                     database};
    const auto add = [&](const char* option, const char* value) {
        if (*value == '\0') return;
        command.emplace_back(option);
        command.emplace_back(value);
    };
    add("--tls-cert", gateway_tls_cert);
    add("--tls-key", gateway_tls_key);
    std::istringstream options(gateway_options);
    for (std::string word; options >> word;) command.push_back(word);
    return command;
}

}  // namespace epe::pg
