#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;

namespace epe::gateway {

class ClientWatch;
class RowStream;
class Statement;

/// An error of PostgreSQL, or of the connection to it (sqlstate 08006 when the server sent none).
/// Text is what libpq gave; `context` holds the traceback of a failed script.
struct DatabaseError : std::exception {
    std::string sqlstate, message, detail, hint, context;
    const char* what() const noexcept override { return message.c_str(); }
};

/// The client that asked went away while its statement ran; the statement has been cancelled.
struct ClientGone : std::exception {};

/// The server refused what went before a statement, which therefore has not run.
struct NotBegun : std::exception {
    DatabaseError why{};
    const char* what() const noexcept override { return why.what(); }
};

/// Rows that a statement returned. Owns the PGresult.
class QueryResult {
   public:
    explicit QueryResult(PGresult* result);
    QueryResult(QueryResult&& other) noexcept;
    QueryResult& operator=(QueryResult&& other) noexcept;
    ~QueryResult();

    std::size_t bytes() const;  ///< that it takes in memory
    int rows() const;
    int columns() const;
    std::string column_name(int column) const;
    unsigned int column_type(int column) const;  ///< OID
    int column_modifier(int column) const;       ///< typmod, -1 for none
    bool is_null(int row, int column) const;
    /// The bytes of a value, valid as long as this object; empty for NULL.
    std::string_view value(int row, int column) const;

   private:
    PGresult* result_;
};

using Parameter = std::optional<std::string>;  ///< text form; nullopt is NULL

/// What travels with a statement, in one round trip (libpq's pipeline).
struct Escort {
    /// Runs first, in the same transaction; the statement does not run when it fails.
    const char* guard = nullptr;
    std::vector<Parameter> guard_parameters{};
    /// DISCARD ALL goes behind, whatever becomes of the statement, and is not waited for.
    bool is_last = false;
};

/// A statement whose rows come one by one.
struct RowQuery {
    std::string sql;
    std::vector<Parameter> parameters{};
    bool is_binary = false;  ///< the form of its values
};

/// One authenticated connection. Not for two threads at once.
///
/// It is in libpq's pipeline mode. Every statement is sent asynchronously and waited for in poll()
/// on the server's and, with a watch, the client's socket. Whatever a statement throws, is_usable()
/// tells whether the connection can go on.
class Connection {
   public:
    explicit Connection(PGconn* connection);
    Connection(Connection&& other) noexcept;
    Connection& operator=(Connection&& other) noexcept;
    ~Connection();

    /// One statement with parameters; throws DatabaseError, ClientGone, with a guard NotBegun.
    /// An error at its commit is the statement's. Behind the last one only finish_reset() may
    /// follow.
    QueryResult query(const std::string& sql, const std::vector<Parameter>& parameters = {},
                      ClientWatch* watch = nullptr, const Escort& escort = {});

    /// The same, row by row.
    RowStream rows(const RowQuery& query, ClientWatch* watch, const Escort& escort = {});

    /// True when a NOTIFY has arrived since the last time; false after `milliseconds` or when the
    /// client has gone.
    bool await_notification(int milliseconds, ClientWatch* watch);

    bool is_usable() const;

    /// Rolls back, and sends DISCARD ALL without waiting for it, unless it went with the last
    /// statement; only finish_reset() may follow. For the pool alone.
    void start_reset();
    /// Throws DatabaseError, also when the server has closed the connection since.
    void finish_reset();

   private:
    friend class RowStream;
    void send(const char* sql, const std::vector<Parameter>& parameters, bool is_binary = false);
    void send_sync();
    void send_reset();
    /// libpq's buffers never shrink: after a large message the connection is not worth keeping.
    void note_size(const QueryResult& result);
    Statement start(const RowQuery& query, ClientWatch* watch, const Escort& escort);

    PGconn* connection_;
    /// A statement was broken off, or its answer not taken to the end. It may have left Python
    /// half-way through an import, which nobody's next request should find.
    bool is_spent_ = false;
    bool is_resetting_ = false;  // DISCARD ALL has been sent, and not been waited for
    bool is_notified_ = false;
};

}  // namespace epe::gateway
