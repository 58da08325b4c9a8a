#include "database.h"

#include <array>
#include <chrono>
#include <utility>

#include <libpq-fe.h>
#include <poll.h>

#include "client_watch.h"
#include "interruption.h"
#include "row_stream.h"
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

std::size_t QueryResult::bytes() const { return PQresultMemorySize(result_); }
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

Connection::Connection(PGconn* connection) : connection_(connection) {
    (void)PQenterPipelineMode(connection_);
}
Connection::Connection(Connection&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)), is_spent_(other.is_spent_),
      is_resetting_(other.is_resetting_), is_notified_(other.is_notified_) {}
Connection& Connection::operator=(Connection&& other) noexcept {
    std::swap(connection_, other.connection_);
    std::swap(is_spent_, other.is_spent_);
    std::swap(is_resetting_, other.is_resetting_);
    std::swap(is_notified_, other.is_notified_);
    return *this;
}
Connection::~Connection() { PQfinish(connection_); }

void Connection::send(const char* sql, const std::vector<Parameter>& parameters, bool is_binary) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const Parameter& each : parameters) values.push_back(each ? each->c_str() : nullptr);
    if (PQsendQueryParams(connection_, sql, static_cast<int>(values.size()), nullptr, values.data(),
                          nullptr, nullptr, is_binary ? 1 : 0) == 0)
        throw connection_error(connection_);
}

void Connection::send_sync() {
    if (PQpipelineSync(connection_) == 0) throw connection_error(connection_);
}

/// Sends the statement, and the guard and options sent along with it, up to the statement itself.
Statement Connection::start(const RowQuery& query, ClientWatch* watch,
                            const PipelinedCommands& pipelined) {
    if (pipelined.guard != nullptr) send(pipelined.guard, pipelined.guard_parameters);
    send(query.sql.c_str(), query.parameters, query.is_binary);
    send_sync();
    if (pipelined.is_last) send_reset();
    Statement statement(connection_, watch, is_notified_);
    try {
        statement.flush();
        if (pipelined.guard != nullptr) statement.pass_guard();
    } catch (...) {
        if (!statement.has_ended()) is_spent_ = true;
        throw;
    }
    return statement;
}

RowStream Connection::rows(const RowQuery& query, ClientWatch* watch,
                           const PipelinedCommands& pipelined) {
    return {*this, start(query, watch, pipelined)};
}

QueryResult Connection::query(const std::string& sql, const std::vector<Parameter>& parameters,
                              ClientWatch* watch, const PipelinedCommands& pipelined) {
    Statement statement = start({sql, parameters}, watch, pipelined);
    try {
        QueryResult result = statement.only_result();
        note_size(result);
        return result;
    } catch (...) {
        if (!statement.has_ended()) is_spent_ = true;
        throw;
    }
}

bool Connection::await_notification(int milliseconds, ClientWatch* watch) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::milliseconds(milliseconds);
    while (true) {
        Statement(connection_, watch, is_notified_).take_input();
        if (std::exchange(is_notified_, false)) return true;
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return false;
        const int client = watch != nullptr ? watch->descriptor() : -1;
        std::array<pollfd, 3> polled{{{PQsocket(connection_), POLLIN, 0},
                                      {client, POLLRDHUP, 0},
                                      {interruption_descriptor(), POLLIN, 0}}};
        (void)poll(polled.data(), polled.size(), static_cast<int>(left));
        if (polled[1].revents != 0 || polled[2].revents != 0) return false;
    }
}

void Connection::send_reset() {
    send("DISCARD ALL", {});
    send_sync();
    is_resetting_ = true;
}

void Connection::start_reset() {
    if (is_resetting_) return;
    if (PQtransactionStatus(connection_) != PQTRANS_IDLE) (void)query("ROLLBACK");
    send_reset();
    if (PQflush(connection_) < 0) throw connection_error(connection_);
}

void Connection::finish_reset() {
    Statement reset(connection_, nullptr, is_notified_);
    reset.flush();
    reset.take_input();
    (void)reset.only_result();
    is_resetting_ = false;
    // The message that ends the connection may have come with the result: only another read shows
    // it.
    reset.take_input();
}

void Connection::note_size(const QueryResult& result) {
    constexpr std::size_t kLarge = std::size_t{2} << 20;
    if (result.bytes() > kLarge) is_spent_ = true;
}

bool Connection::is_usable() const {
    if (is_spent_ || connection_ == nullptr || PQstatus(connection_) != CONNECTION_OK) return false;
    if (is_resetting_) return true;
    const PGTransactionStatusType status = PQtransactionStatus(connection_);
    return status != PQTRANS_ACTIVE && status != PQTRANS_UNKNOWN;
}

}  // namespace epe::gateway
