#include "database.h"

#include <array>
#include <chrono>
#include <utility>

#include <libpq-fe.h>
#include <poll.h>

#include "client_watch.h"
#include "interruption.h"
#include "statement.h"

namespace epe::gateway {

QueryResult::QueryResult(PGresult* result) : result_(result) {}
QueryResult::QueryResult(QueryResult&& other) noexcept
    : result_(std::exchange(other.result_, nullptr)) {}
QueryResult& QueryResult::operator=(QueryResult&& other) noexcept {
    std::swap(result_, other.result_);
    return *this;
}
QueryResult::~QueryResult() { PQclear(result_); }

int QueryResult::rows() const { return PQntuples(result_); }
int QueryResult::columns() const { return PQnfields(result_); }
std::string QueryResult::column_name(int column) const {
    const char* name = PQfname(result_, column);
    return name != nullptr ? name : "";
}
unsigned int QueryResult::column_type(int column) const { return PQftype(result_, column); }
int QueryResult::column_modifier(int column) const { return PQfmod(result_, column); }
bool QueryResult::is_null(int row, int column) const {
    return PQgetisnull(result_, row, column) != 0;
}
std::string_view QueryResult::value(int row, int column) const {
    return {PQgetvalue(result_, row, column),
            static_cast<std::size_t>(PQgetlength(result_, row, column))};
}

// ---------------------------------------------------------------------------------- connections

Connection::Connection(PGconn* connection) : connection_(connection) {}
Connection::Connection(Connection&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)), is_spent_(other.is_spent_) {}
Connection& Connection::operator=(Connection&& other) noexcept {
    std::swap(connection_, other.connection_);
    std::swap(is_spent_, other.is_spent_);
    return *this;
}
Connection::~Connection() { PQfinish(connection_); }

void Connection::send(Statement& statement, const std::string& sql,
                      const std::vector<Parameter>& parameters, Form form) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const Parameter& each : parameters) values.push_back(each ? each->c_str() : nullptr);
    statement.sent(PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(values.size()),
                                     nullptr, values.data(), nullptr, nullptr,
                                     static_cast<int>(form)));
}

QueryResult Connection::query(const std::string& sql, const std::vector<Parameter>& parameters,
                              ClientWatch* watch) {
    Statement statement(connection_, watch);
    send(statement, sql, parameters, Form::kText);
    try {
        return statement.only_result();
    } catch (const ClientGone&) {
        is_spent_ = true;
        throw;
    }
}

std::optional<Connection::Notification> Connection::await_notification(int milliseconds,
                                                                       ClientWatch* watch) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::milliseconds(milliseconds);
    while (true) {
        if (PQconsumeInput(connection_) == 0) throw connection_error(connection_);
        if (PGnotify* notify = PQnotifies(connection_)) {
            Notification notification{notify->relname, notify->extra};
            PQfreemem(notify);
            return notification;
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return std::nullopt;
        const int client = watch != nullptr ? watch->descriptor() : -1;
        std::array<pollfd, 3> polled{{{PQsocket(connection_), POLLIN, 0},
                                      {client, POLLRDHUP, 0},
                                      {interruption_descriptor(), POLLIN, 0}}};
        (void)poll(polled.data(), polled.size(), static_cast<int>(left));
        if (polled[1].revents != 0 || polled[2].revents != 0) return std::nullopt;
    }
}

void Connection::start_reset() {
    if (PQsendQuery(connection_, "DISCARD ALL") == 0 || PQflush(connection_) < 0)
        throw connection_error(connection_);
}

void Connection::finish_reset() {
    Statement reset(connection_, nullptr);
    reset.sent(1);
    (void)reset.only_result();
}

bool Connection::is_usable() const {
    if (is_spent_ || connection_ == nullptr || PQstatus(connection_) != CONNECTION_OK) return false;
    const PGTransactionStatusType status = PQtransactionStatus(connection_);
    return status != PQTRANS_ACTIVE && status != PQTRANS_UNKNOWN;
}

bool Connection::is_in_transaction() const {
    return PQtransactionStatus(connection_) != PQTRANS_IDLE;
}

}  // namespace epe::gateway
