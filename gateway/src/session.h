#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "database.h"
#include "row_stream.h"

namespace epe::gateway {

/// A connection borrowed from a user's pool. The destructor resets it and returns it to the pool,
/// or closes it if it is no longer usable.
class Lease {
   public:
    virtual ~Lease() = default;

    /// As Connection::query(). Before the first statement the server checks that the user may still
    /// log in; if not, the statement does not run, and ApiError 401 is thrown.
    virtual QueryResult query(const std::string& sql, const std::vector<Parameter>& parameters,
                              ClientWatch* watch) = 0;
    /// The same for the last statement: cheaper, because the connection is reset in the same round
    /// trip.
    virtual QueryResult last_query(const std::string& sql, const std::vector<Parameter>& parameters,
                                   ClientWatch* watch) = 0;
    /// The same, as Connection::rows().
    virtual RowStream rows(const RowQuery& query, ClientWatch* watch) = 0;
    virtual RowStream last_rows(const RowQuery& query, ClientWatch* watch) = 0;
    /// As Connection::await_notification().
    virtual bool await_notification(int milliseconds, ClientWatch* watch) = 0;
    /// The schema of the extension's functions, quoted, e.g. `public`.
    virtual const std::string& schema() const = 0;
};

/// The database access of an authenticated request: connections authenticated as the token's user.
/// All tokens of a user share one session.
class Session {
   public:
    virtual ~Session() = default;
    virtual const std::string& user() const = 0;

    /// A pooled or new connection. Throws ApiError 401 if the user may no longer log in, and 500 if
    /// the database cannot be reached or all connections of the pool stay in use. `watch` is as in
    /// Connection::query.
    virtual std::unique_ptr<Lease> lease(ClientWatch* watch) = 0;
};

}  // namespace epe::gateway
