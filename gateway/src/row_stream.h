// The rows of a statement while they come.
#pragma once

#include <optional>

#include "database.h"
#include "statement.h"

namespace epe::gateway {

/// The rows of a statement that has been sent, one by one, so that no more than one is held. One
/// that is left before its end leaves its connection unusable.
class RowStream {
   public:
    RowStream(Connection& connection, Statement statement);
    RowStream(RowStream&& other) noexcept;
    RowStream& operator=(RowStream&&) = delete;
    ~RowStream();

    /// A result of one row; nullopt once all have come and what the statement did is committed.
    /// Throws DatabaseError, ClientGone.
    std::optional<QueryResult> next();

   private:
    Connection* connection_;  // null: moved from
    Statement statement_;
};

}  // namespace epe::gateway
