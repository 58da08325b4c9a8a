#pragma once

#include <memory>
#include <string>

#include "database.h"

namespace epe::gateway {

/// A connection lent by a user's pool: given back, reset, by the destructor, or closed when it is
/// no longer usable.
class Lease {
   public:
    virtual ~Lease() = default;
    virtual Connection& connection() = 0;
    /// The schema that the extension's functions stand in, quoted, e.g. `public`.
    virtual const std::string& schema() const = 0;
};

/// What a request may use of the user whose token it showed: connections that are authenticated as
/// that user. All of an API user's tokens share one.
class Session {
   public:
    virtual ~Session() = default;
    virtual const std::string& user() const = 0;

    /// A connection, from the pool or a new one. Throws ApiError 401 when the user may no longer
    /// log in, 500 when the database cannot be reached or all of the pool stay in use (`watch` as
    /// in Connection::query).
    virtual std::unique_ptr<Lease> lease(ClientWatch* watch) = 0;
};

}  // namespace epe::gateway
