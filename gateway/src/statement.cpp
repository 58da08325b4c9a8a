#include "statement.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include <libpq-fe.h>
#include <poll.h>

#include "client_watch.h"
#include "interruption.h"

namespace epe::gateway {

namespace {

constexpr int kForever = -1;
constexpr std::chrono::seconds kCancelPatience{5};

struct ClearResult {
    void operator()(PGresult* result) const { PQclear(result); }
};
using OwnedResult = std::unique_ptr<PGresult, ClearResult>;

std::string field_of(const PGresult* result, int field) {
    const char* text = PQresultErrorField(result, field);
    return text != nullptr ? text : "";
}

/// The response to a Sync: all responses to earlier messages have been read.
bool is_end(const PGresult* result) { return PQresultStatus(result) == PGRES_PIPELINE_SYNC; }

/// The server is in COPY mode, which the gateway does not use.
bool is_copy(const PGresult* result) {
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

DatabaseError shutdown_error() {
    DatabaseError error;
    error.sqlstate = "57P01";
    error.message = "the gateway is shutting down";
    return error;
}

}  // namespace

std::string trimmed(const char* text) {
    std::string line = text != nullptr ? text : "";
    while (!line.empty() && line.back() == '\n') line.pop_back();
    std::erase(line, '\t');
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

DatabaseError connection_error(const PGconn* connection) {
    DatabaseError error;
    error.sqlstate = "08006";
    error.message = trimmed(PQerrorMessage(connection));
    if (error.message.empty()) error.message = "the connection to the database is broken";
    return error;
}

DatabaseError result_error(const PGresult* result) {
    DatabaseError error;
    error.sqlstate = field_of(result, PG_DIAG_SQLSTATE);
    error.message = field_of(result, PG_DIAG_MESSAGE_PRIMARY);
    error.detail = field_of(result, PG_DIAG_MESSAGE_DETAIL);
    error.hint = field_of(result, PG_DIAG_MESSAGE_HINT);
    error.context = field_of(result, PG_DIAG_CONTEXT);
    // A result made by libpq: the connection broke, or memory was exhausted.
    if (error.sqlstate.empty()) error.sqlstate = "08006";
    if (error.message.empty()) error.message = trimmed(PQresultErrorMessage(result));
    return error;
}

void Statement::flush() {
    while (true) {
        const int left = PQflush(connection_);
        if (left < 0) throw connection_error(connection_);
        if (left == 0) return;
        wait_for_server(/* is_writing */ true, kForever);
        // The server may send responses before it has read all input: it must not block.
        take_input();
    }
}

void Statement::take_input() {
    if (PQconsumeInput(connection_) == 0) throw connection_error(connection_);
    // libpq queues notifications, and a script may send millions.
    while (PGnotify* notify = PQnotifies(connection_)) {
        PQfreemem(notify);
        is_notified_ = true;
    }
}

void Statement::wait_for_server(bool is_writing, int milliseconds) {
    pollfd server{PQsocket(connection_), static_cast<short>(is_writing ? POLLIN | POLLOUT : POLLIN),
                  0};
    (void)poll(&server, 1, milliseconds);
}

void Statement::wait() {
    const int client = watch_ != nullptr ? watch_->descriptor() : -1;
    std::array<pollfd, 3> polled{{{PQsocket(connection_), POLLIN, 0},
                                  {client, POLLRDHUP, 0},
                                  {interruption_descriptor(), POLLIN, 0}}};
    (void)poll(polled.data(), polled.size(), kForever);
    if (polled[0].revents != 0) return;  // a result that has arrived takes precedence
    if (polled[1].revents != 0) {
        cancel();
        throw ClientGone{};
    }
    if (polled[2].revents != 0) {
        cancel();
        throw shutdown_error();
    }
}

/// Null after a statement's last result.
PGresult* Statement::next_result() {
    while (PQisBusy(connection_) != 0) {
        wait();
        take_input();
    }
    return PQgetResult(connection_);
}

/// Reads up to the Sync, so that the next statement can be sent. An error there was raised at
/// commit: deferred constraints, serialization.
void Statement::finish() {
    OwnedResult failure;
    while (true) {
        OwnedResult rest{next_result()};
        if (rest && is_end(rest.get())) break;
        if (PQstatus(connection_) != CONNECTION_OK) throw connection_error(connection_);
        if (rest && !failure && PQresultStatus(rest.get()) == PGRES_FATAL_ERROR)
            failure = std::move(rest);
    }
    has_ended_ = true;
    if (failure) throw result_error(failure.get());
}

/// Throws the error of a result that is not a normal end of a statement.
void Statement::fail(const PGresult* result) {
    if (is_copy(result)) {
        DatabaseError error;  // the connection stays busy and is not reused
        error.sqlstate = "0A000";
        error.message = "COPY cannot be used here";
        throw error;
    }
    DatabaseError error = result_error(result);
    try {
        finish();
    } catch (const DatabaseError&) {
        // The connection ended together with the statement, whose error is more specific.
    }
    throw error;
}

void Statement::pass_guard() {
    const OwnedResult result{next_result()};
    if (!result) throw connection_error(connection_);
    if (PQresultStatus(result.get()) == PGRES_TUPLES_OK) {
        while (const OwnedResult rest{next_result()}) {
        }
        return;
    }
    // Without a response the state of the statement is unknown.
    const bool is_refused = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE) != nullptr;
    try {
        fail(result.get());
    } catch (const DatabaseError& error) {
        if (!is_refused) throw;
        NotBegun refusal;
        refusal.why = error;
        throw refusal;
    }
}

void Statement::read_by_row() {
    // Fails only if no statement has been sent.
    (void)PQsetSingleRowMode(connection_);
}

std::optional<QueryResult> Statement::next_row() {
    OwnedResult result{next_result()};
    if (!result) throw connection_error(connection_);
    switch (PQresultStatus(result.get())) {
        case PGRES_SINGLE_TUPLE:
            return QueryResult(result.release());
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            finish();
            return std::nullopt;
        default:
            fail(result.get());
    }
}

QueryResult Statement::only_result() {
    OwnedResult result{next_result()};
    if (!result) throw connection_error(connection_);
    switch (PQresultStatus(result.get())) {
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            finish();
            return QueryResult(result.release());
        default:
            fail(result.get());
    }
}

void Statement::cancel() {
    PGcancel* handle = PQgetCancel(connection_);
    if (handle == nullptr) return;
    std::array<char, 256> why{};
    (void)PQcancel(handle, why.data(), static_cast<int>(why.size()));
    PQfreeCancel(handle);
    const auto deadline = std::chrono::steady_clock::now() + kCancelPatience;
    while (std::chrono::steady_clock::now() < deadline) {
        if (PQisBusy(connection_) == 0) {
            const OwnedResult result{PQgetResult(connection_)};
            if (result && (is_end(result.get()) || is_copy(result.get()))) return;
            if (PQstatus(connection_) != CONNECTION_OK) return;
            continue;
        }
        constexpr int kTryMilliseconds = 100;
        wait_for_server(/* is_writing */ false, kTryMilliseconds);
        try {
            take_input();
        } catch (const DatabaseError&) {
            return;
        }
    }
    // The connection is still busy and therefore unusable.
}

}  // namespace epe::gateway
