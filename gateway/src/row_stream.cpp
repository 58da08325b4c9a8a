#include "row_stream.h"

#include <utility>

namespace epe::gateway {

RowStream::RowStream(Connection& connection, Statement statement)
    : connection_(connection), statement_(statement) {
    statement_.read_by_row();
}

RowStream::RowStream(RowStream&& other) noexcept
    : connection_(other.connection_), statement_(other.statement_),
      has_ended_(std::exchange(other.has_ended_, true)) {}

RowStream::~RowStream() {
    if (!has_ended_) connection_.is_spent_ = true;
}

std::optional<QueryResult> RowStream::next() {
    try {
        auto row = statement_.next_row();
        has_ended_ = !row;
        if (row) connection_.note_size(*row);
        return row;
    } catch (const DatabaseError&) {
        has_ended_ = true;  // the connection knows whether it can go on
        throw;
    }
}

}  // namespace epe::gateway
