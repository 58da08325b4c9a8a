#include "row_stream.h"

namespace epe::gateway {

RowStream::RowStream(Connection& connection, const std::string& sql,
                     const std::vector<Parameter>& parameters, ClientWatch* watch)
    : connection_(connection), statement_(connection.connection_, watch) {
    connection.send(statement_, sql, parameters, Connection::Form::kBinary);
    statement_.read_by_row();
}

std::optional<QueryResult> RowStream::next() {
    try {
        return statement_.next_row();
    } catch (const ClientGone&) {
        connection_.is_spent_ = true;
        throw;
    }
}

}  // namespace epe::gateway
