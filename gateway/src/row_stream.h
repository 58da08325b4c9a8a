// The rows of a statement while they come.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "database.h"
#include "statement.h"

namespace epe::gateway {

/// Sends a statement and gives its rows one by one, so that no more than one is held; the values
/// are in binary form. One that is left before its end leaves its connection unusable.
class RowStream {
   public:
    RowStream(Connection& connection, const std::string& sql,
              const std::vector<Parameter>& parameters, ClientWatch* watch);

    /// A result of one row; nullopt once all have come and what the statement did is committed.
    /// Throws DatabaseError, ClientGone.
    std::optional<QueryResult> next();

   private:
    Connection& connection_;
    Statement statement_;
};

}  // namespace epe::gateway
