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

/// Rows that a statement returned. Owns the PGresult.
class QueryResult {
   public:
    explicit QueryResult(PGresult* result);
    QueryResult(QueryResult&& other) noexcept;
    QueryResult& operator=(QueryResult&& other) noexcept;
    ~QueryResult();

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

/// One authenticated connection. Not for two threads at once.
///
/// Every statement is sent asynchronously and waited for in poll() on the server's and, with a
/// watch, the client's socket. Whatever a statement throws, is_usable() tells whether the
/// connection can go on.
class Connection {
   public:
    explicit Connection(PGconn* connection);
    Connection(Connection&& other) noexcept;
    Connection& operator=(Connection&& other) noexcept;
    ~Connection();

    /// One statement with parameters; throws DatabaseError, ClientGone.
    QueryResult query(const std::string& sql, const std::vector<Parameter>& parameters = {},
                      ClientWatch* watch = nullptr);

    /// A NOTIFY that has arrived, or nullopt after `milliseconds` or when the client has gone.
    struct Notification {
        std::string channel, payload;
    };
    std::optional<Notification> await_notification(int milliseconds, ClientWatch* watch);

    bool is_usable() const;
    bool is_in_transaction() const;

    /// Sends DISCARD ALL without waiting for it; only finish_reset() may follow. For the pool
    /// alone.
    void start_reset();
    void finish_reset();

   private:
    friend class RowStream;
    enum class Form : int { kText = 0, kBinary = 1 };  ///< of the values that come
    void send(Statement& statement, const std::string& sql,
              const std::vector<Parameter>& parameters, Form form);

    PGconn* connection_;
    /// A statement was broken off. It may have left Python half-way through an import, which
    /// nobody's next request should find.
    bool is_spent_ = false;
};

}  // namespace epe::gateway
