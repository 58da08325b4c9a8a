// One statement on its way: sent, waited for, cancelled when nobody wants it any more.
#pragma once

#include <optional>
#include <string>

#include "database.h"

namespace epe::gateway {

/// What libpq says of a broken connection, as an error: 08006, unless the server said better.
DatabaseError connection_error(const PGconn* connection);
DatabaseError result_error(const PGresult* result);
/// libpq's texts end in a line feed and may have several lines: the first ones of them, joined.
std::string trimmed(const char* text);

/// What has been sent up to a Sync of the pipeline. Waits in poll() for the server, the client
/// (when there is a watch) and the end of the program. Cancels the statement when one of the latter
/// comes first, and then takes what is left of its results, so that the connection can go on.
class Statement {
   public:
    /// `is_notified` becomes true when a NOTIFY has come meanwhile.
    Statement(PGconn* connection, ClientWatch* watch, bool& is_notified)
        : connection_(connection), watch_(watch), is_notified_(is_notified) {}

    /// Hands the system what it has not taken yet.
    void flush();
    /// Takes what the server has sent, without waiting for more.
    void take_input();
    /// Of the statement before the one that counts; throws NotBegun when the server refused it.
    void pass_guard();
    /// The one result, behind which the transaction has ended; throws DatabaseError, ClientGone.
    QueryResult only_result();
    /// Instead of it: the rows one by one.
    void read_by_row();
    /// nullopt after the last one, behind the end of the transaction.
    std::optional<QueryResult> next_row();

    /// Whether all of the answer has been taken, so that another statement may follow.
    bool has_ended() const { return has_ended_; }

    /// Requests the statement's end and drops its results, for a few seconds at most.
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
