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

/// An error of PostgreSQL, or of the connection to it (SQLSTATE 08006 if the server sent none). The
/// texts are those of libpq; `context` contains the traceback of a failed script.
struct DatabaseError : std::exception {
    std::string sqlstate, message, detail, hint, context;
    const char* what() const noexcept override { return message.c_str(); }
};

/// The requesting client disconnected while its statement was running; the statement has been
/// cancelled.
struct ClientGone : std::exception {};

/// The server rejected the guard sent before a statement, so the statement has not run.
struct NotBegun : std::exception {
    DatabaseError why{};
    const char* what() const noexcept override { return why.what(); }
};

/// The rows of a result. Owns the PGresult.
class QueryResult {
   public:
    explicit QueryResult(PGresult* result);
    QueryResult(QueryResult&& other) noexcept;
    QueryResult& operator=(QueryResult&& other) noexcept;
    ~QueryResult();

    std::size_t bytes() const;  ///< memory used
    int rows() const;
    int columns() const;
    std::string column_name(int column) const;
    unsigned int column_type(int column) const;  ///< OID
    int column_modifier(int column) const;       ///< typmod, -1 for none
    bool is_null(int row, int column) const;
    /// The bytes of a value, valid for the lifetime of this object; empty for NULL.
    std::string_view value(int row, int column) const;

   private:
    PGresult* result_;
};

using Parameter = std::optional<std::string>;  ///< text form; nullopt is NULL

/// Commands sent with a statement in one round trip (libpq's pipeline mode).
struct PipelinedCommands {
    /// Runs first, in the same transaction; if it fails, the statement does not run.
    const char* guard = nullptr;
    std::vector<Parameter> guard_parameters{};
    /// DISCARD ALL follows, whether or not the statement succeeds; its result is not awaited.
    bool is_last = false;
};

/// A statement whose rows are fetched one at a time.
struct RowQuery {
    std::string sql;
    std::vector<Parameter> parameters{};
    bool is_binary = false;  ///< result format
};

/// One authenticated connection. Not thread-safe.
///
/// It is in libpq's pipeline mode. Every statement is sent asynchronously and waited for in poll()
/// on the server's and, with a watch, the client's socket. After an exception, is_usable() says
/// whether the connection can still be used.
class Connection {
   public:
    explicit Connection(PGconn* connection);
    Connection(Connection&& other) noexcept;
    Connection& operator=(Connection&& other) noexcept;
    ~Connection();

    /// Runs one statement with parameters; throws DatabaseError, ClientGone, and NotBegun if there
    /// is a guard. An error at commit is reported as the statement's error. After the last
    /// statement of a request only finish_reset() may follow.
    QueryResult query(const std::string& sql, const std::vector<Parameter>& parameters = {},
                      ClientWatch* watch = nullptr, const PipelinedCommands& pipelined = {});

    /// The same, one row at a time.
    RowStream rows(const RowQuery& query, ClientWatch* watch,
                   const PipelinedCommands& pipelined = {});

    /// True if a NOTIFY has arrived since the last call; false after `milliseconds` or when the
    /// client has disconnected.
    bool await_notification(int milliseconds, ClientWatch* watch);

    bool is_usable() const;

    /// Rolls back, and sends DISCARD ALL without waiting for its result, unless it was sent with
    /// the last statement. Only finish_reset() may follow. For use by the pool.
    void start_reset();
    /// Throws DatabaseError, also if the server has closed the connection meanwhile.
    void finish_reset();

   private:
    friend class RowStream;
    void send(const char* sql, const std::vector<Parameter>& parameters, bool is_binary = false);
    void send_sync();
    void send_reset();
    /// libpq's buffers never shrink: after a large message the connection is closed instead of
    /// kept.
    void note_size(const QueryResult& result);
    Statement start(const RowQuery& query, ClientWatch* watch, const PipelinedCommands& pipelined);

    PGconn* connection_;
    /// A statement was cancelled, or its result not read completely. Python may have been
    /// interrupted during an import, so the session must not be reused for another request.
    bool is_spent_ = false;
    bool is_resetting_ = false;  // DISCARD ALL has been sent but not awaited
    bool is_notified_ = false;
};

}  // namespace epe::gateway
