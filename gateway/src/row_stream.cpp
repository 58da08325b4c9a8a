#include "row_stream.h"

namespace epe::gateway {

RowStream::RowStream(Connection& connection, Statement statement)
    : connection_(connection), statement_(statement) {
    statement_.read_by_row();
}

RowStream::~RowStream() {
    if (!statement_.has_ended()) connection_.is_spent_ = true;
}

std::optional<QueryResult> RowStream::next() { return statement_.next_row(); }

}  // namespace epe::gateway
