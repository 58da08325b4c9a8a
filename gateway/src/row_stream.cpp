#include "row_stream.h"

namespace epe::gateway {

RowStream::RowStream(Connection& connection, Statement statement)
    : connection_(connection), statement_(statement) {
    statement_.read_by_row();
}

RowStream::~RowStream() {
    if (!has_ended_) connection_.is_spent_ = true;
}

std::optional<QueryResult> RowStream::next() {
    try {
        auto row = statement_.next_row();
        has_ended_ = !row;
        return row;
    } catch (const DatabaseError&) {
        has_ended_ = true;  // the connection knows whether it can go on
        throw;
    }
}

}  // namespace epe::gateway
