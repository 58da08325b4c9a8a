// A statement in flight: sending, waiting, cancelling.
#pragma once

#include <optional>
#include <string>

#include "database.h"

namespace epe::gateway {

/// Converts libpq's description of a broken connection to an error: 08006, unless the server sent a
/// SQLSTATE.
DatabaseError connection_error(const PGconn* connection);
DatabaseError result_error(const PGresult* result);
/// Joins the first lines of a libpq message, which ends in a line feed.
std::string trimmed(const char* text);

/// The messages sent up to a Sync of the pipeline. Waits in poll() for the server, the client (if
/// there is a watch) and shutdown. If the client disconnects or the gateway shuts down first,
/// cancels the statement and discards the rest of its results, so that the connection can be
/// reused.
class Statement {
   public:
    /// `is_notified` is set to true when a NOTIFY arrives meanwhile.
    Statement(PGconn* connection, ClientWatch* watch, bool& is_notified)
        : connection_(connection), watch_(watch), is_notified_(is_notified) {}

    /// Flushes pending output to the socket.
    void flush();
    /// Reads available input without waiting.
    void take_input();
    /// The result of the guard; throws NotBegun if the server rejected it.
    void pass_guard();
    /// The only result, after the end of the transaction; throws DatabaseError, ClientGone.
    QueryResult only_result();
    /// Alternative: fetches the rows one at a time.
    void read_by_row();
    /// nullopt after the last row, when the transaction has ended.
    std::optional<QueryResult> next_row();

    /// Whether the response has been read completely, so that another statement may follow.
    bool has_ended() const { return has_ended_; }

    /// Cancels the statement and discards its results, waiting a few seconds at most.
    void cancel();

   private:
    PGresult* next_result();
    void wait();
    void wait_for_server(bool is_writing, int milliseconds);
    [[noreturn]] void fail(const PGresult* result);
    void finish();

    PGconn* connection_;
    ClientWatch* watch_;
    bool& is_notified_;
    bool has_ended_ = false;
};

}  // namespace epe::gateway
