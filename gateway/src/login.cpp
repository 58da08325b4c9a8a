#include "login.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>

#include <libpq-fe.h>
#include <poll.h>

#include "api_error.h"
#include "log.h"
#include "statement.h"

namespace epe::gateway {

namespace {

constexpr int kInternal = 500;
constexpr std::chrono::seconds kPatience{15};
constexpr const char* kNoFile = "/dev/null/none";  // does not exist
constexpr const char* kNobody = "oml_epe_gateway";

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using OwnedConnection = std::unique_ptr<PGconn, Finish>;

void ignore_notice(void*, const char*) {}

/// libpq reports the SQLSTATE of a failed login only within its (verbose) message: `... failed:
/// FATAL:  28P01: password authentication failed ...`.
std::string sqlstate_in(const std::string& text) {
    constexpr std::size_t kLength = 5;
    for (auto at = text.find(":  "); at != std::string::npos; at = text.find(":  ", at + 1)) {
        std::string state = text.substr(at + 3, kLength);
        const bool is_state =
            state.size() == kLength && std::all_of(state.begin(), state.end(), [](char each) {
                return std::isdigit(static_cast<unsigned char>(each)) != 0 ||
                       (each >= 'A' && each <= 'Z');
            });
        if (is_state && text.compare(at + 3 + kLength, 2, ": ") == 0) return state;
    }
    return {};
}

/// Runs the login to completion; false on timeout.
bool connect(PGconn* connection) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        const short events = state == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
        pollfd server{PQsocket(connection), events, 0};
        if (poll(&server, 1, static_cast<int>(left.count())) > 0) state = PQconnectPoll(connection);
    }
    return true;
}

/// Strips `failed: FATAL:  28P01:` and `LOCATION: ...` from the message.
[[noreturn]] void refuse(PGconn* connection, const std::string& user) {
    const std::string text = trimmed(PQerrorMessage(connection));
    const std::string state = sqlstate_in(text);
    const bool is_refusal = state.starts_with("28") || state == "3D000" || state == "42501";
    log_event(is_refusal ? LogLevel::kWarning : LogLevel::kError, "login failed",
              {{"user", user}, {"sqlstate", state}, {"message", text}});
    if (is_refusal) throw LoginRefused{};
    std::string why = text;
    if (!state.empty()) {
        const auto start = text.find(state + ": ") + state.size() + 2;
        why = text.substr(start, text.find(" LOCATION:", start) - start);
    }
    throw ApiError(kInternal, "cannot connect to the database: " + why, {}, kPlainFailure, state);
}

/// The schema of the extension, quoted; nullopt if the database does not have the extension.
std::optional<std::string> find_extension(Connection& connection) {
    const QueryResult found = connection.query(
        "SELECT pg_catalog.quote_ident(n.nspname::pg_catalog.text) FROM pg_catalog.pg_extension e "
        "JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace "
        "WHERE e.extname OPERATOR(pg_catalog.=) 'oml_epe'");
    if (found.rows() == 0) return std::nullopt;
    return std::string(found.value(0, 0));
}

}  // namespace

Login::Login(const Options& options) {
    PQconninfoOption* parsed = PQconninfoParse(options.database.c_str(), nullptr);
    for (const PQconninfoOption* each = parsed; each != nullptr && each->keyword != nullptr; ++each)
        if (each->val != nullptr) fields_.push_back({each->keyword, each->val});
    PQconninfoFree(parsed);
    if (value_of("dbname") == nullptr) fields_.push_back({"dbname", "postgres"});
    // Sent in the startup packet, so DISCARD ALL resets to these values.
    std::string settings = value_of("options") != nullptr ? value_of("options") : "";
    std::erase_if(fields_, [](const Field& field) { return field.keyword == "options"; });
    settings += " -c client_min_messages=error";
    if (options.output_limit > 0)
        settings += " -c oml_epe.output_limit=" + std::to_string(options.output_limit);
    if (options.max_result > 0)
        settings += " -c oml_epe.output_bytes=" + std::to_string(options.max_result);
    // Row pieces that are cheap to buffer in each of many connections, and cheap to fetch.
    constexpr int kPieceBytes = 256 << 10;
    settings += " -c oml_epe.output_piece=" + std::to_string(kPieceBytes);
    fields_.push_back({"options", settings});
    fields_.push_back({"client_encoding", "UTF8"});
    if (value_of("application_name") == nullptr) fields_.push_back({"application_name", kNobody});
    fields_.push_back({"passfile", kNoFile});
    // A Kerberos ticket of the gateway's own account must not authenticate its users.
    fields_.push_back({"gssencmode", "disable"});
}

const char* Login::value_of(const char* keyword) const {
    for (const Field& field : fields_)
        if (field.keyword == keyword) return field.value.c_str();
    return nullptr;
}

LoggedIn Login::log_in(const std::string& user, const Secret& password) const {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    const auto add = [&](const char* keyword, const char* value) {
        keywords.push_back(keyword);
        values.push_back(value);
    };
    for (const Field& field : fields_) add(field.keyword.c_str(), field.value.c_str());
    add("user", user.c_str());
    add("password", password.c_str());
    add(nullptr, nullptr);
    OwnedConnection made(PQconnectStartParams(keywords.data(), values.data(),
                                              /* expand_dbname */ 0));
    if (!made) throw std::bad_alloc();
    (void)PQsetErrorVerbosity(made.get(), PQERRORS_VERBOSE);
    (void)PQsetNoticeProcessor(made.get(), ignore_notice, nullptr);
    if (PQstatus(made.get()) == CONNECTION_BAD) refuse(made.get(), user);
    if (!connect(made.get()))
        throw ApiError(kInternal, "cannot connect to the database: it does not answer");
    if (PQstatus(made.get()) != CONNECTION_OK) refuse(made.get(), user);
    if (PQconnectionUsedPassword(made.get()) == 0) {
        log_event(
            LogLevel::kError, "login without password refused",
            {{"user", user},
             {"message", "the database asked for no password: correct pg_hba.conf, which must "
                         "ask this machine's connections for one (scram-sha-256, ldap, ...)"}});
        throw LoginRefused{};
    }
    (void)PQsetErrorVerbosity(made.get(), PQERRORS_DEFAULT);
    (void)PQsetnonblocking(made.get(), 1);
    Connection connection(made.release());
    std::optional<std::string> schema = find_extension(connection);
    if (!schema)
        throw ApiError(kInternal, "extension \"oml_epe\" is not installed in the database; run "
                                  "CREATE EXTENSION oml_epe");
    return {std::move(connection), std::move(*schema)};
}

const char* Login::server_state() const {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const Field& field : fields_) {
        // Otherwise the server would check these and log a failed authorization.
        if (field.keyword == "options") continue;
        keywords.push_back(field.keyword.c_str());
        values.push_back(field.value.c_str());
    }
    // Without a user name libpq uses the gateway's operating system account, which pg_hba.conf may
    // admit without a password.
    keywords.push_back("user");
    values.push_back(kNobody);
    if (value_of("connect_timeout") == nullptr) {
        keywords.push_back("connect_timeout");
        values.push_back("3");
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    switch (PQpingParams(keywords.data(), values.data(), /* expand_dbname */ 0)) {
        case PQPING_OK:
            return "up";
        case PQPING_REJECT:
            return "starting or shutting down";
        case PQPING_NO_RESPONSE:
            return "unreachable";
        case PQPING_NO_ATTEMPT:
            break;
    }
    return "not checked: the parameters of --db are invalid";
}

void Login::forget_environment() {
    for (const char* name : {"PGUSER", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE",
                             "PGOPTIONS", "PGGSSENCMODE", "PGREQUIREPEER"})
        (void)unsetenv(name);
}

}  // namespace epe::gateway
