#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "database.h"
#include "row_stream.h"

namespace epe::gateway {

/// A connection lent by a user's pool: given back, reset, by the destructor, or closed when it is
/// no longer usable.
class Lease {
   public:
    virtual ~Lease() = default;

    /// As Connection::query(). Before the first statement the server says whether the user may
    /// still log in; if not the statement does not run, and this throws ApiError 401.
    virtual QueryResult query(const std::string& sql, const std::vector<Parameter>& parameters,
                              ClientWatch* watch) = 0;
    /// The same for the last statement, which is cheaper: the connection is reset along with it.
    virtual QueryResult last_query(const std::string& sql, const std::vector<Parameter>& parameters,
                                   ClientWatch* watch) = 0;
    /// The same, as Connection::rows().
    virtual RowStream rows(const RowQuery& query, ClientWatch* watch) = 0;
    virtual RowStream last_rows(const RowQuery& query, ClientWatch* watch) = 0;
    /// As Connection::await_notification().
    virtual bool await_notification(int milliseconds, ClientWatch* watch) = 0;
    /// The schema that the extension's functions stand in, quoted, e.g. `public`.
    virtual const std::string& schema() const = 0;
};

/// What a request may use of the user whose token it showed: connections that are authenticated as
/// that user. All of an API user's tokens share one.
class Session {
   public:
    virtual ~Session() = default;
    virtual const std::string& user() const = 0;

    /// A connection, from the pool or a new one. Throws ApiError 401 when it turns out that the
    /// user may no longer log in, 500 when the database cannot be reached or all of the pool stay
    /// in use
    /// (`watch` as in Connection::query).
    virtual std::unique_ptr<Lease> lease(ClientWatch* watch) = 0;
};

}  // namespace epe::gateway
