// The rows of a running statement.
#pragma once

#include <optional>

#include "database.h"
#include "statement.h"

namespace epe::gateway {

/// The rows of a statement that has been sent, fetched one at a time, so that only one is held in
/// memory. If a stream is destroyed before its end, its connection becomes unusable.
class RowStream {
   public:
    RowStream(Connection& connection, Statement statement);
    RowStream(RowStream&& other) noexcept;
    RowStream& operator=(RowStream&&) = delete;
    ~RowStream();

    /// A result of one row; nullopt after the last row, when the transaction has been committed.
    /// Throws DatabaseError, ClientGone.
    std::optional<QueryResult> next();

   private:
    Connection* connection_;  // null: moved from
    Statement statement_;
};

}  // namespace epe::gateway
