#include "row_stream.h"

#include <utility>

namespace epe::gateway {

RowStream::RowStream(Connection& connection, Statement statement)
    : connection_(&connection), statement_(statement) {
    statement_.read_by_row();
}

RowStream::RowStream(RowStream&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)), statement_(other.statement_) {}

RowStream::~RowStream() {
    if (connection_ != nullptr && !statement_.has_ended()) connection_->is_spent_ = true;
}

std::optional<QueryResult> RowStream::next() {
    auto row = statement_.next_row();
    if (row) connection_->note_size(*row);
    return row;
}

}  // namespace epe::gateway
