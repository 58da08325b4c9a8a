#include "typed_stream.h"

#include <httplib.h>

#include <algorithm>
#include <utility>

namespace epe::gateway {
namespace {

constexpr int kMostRows = 10000;  // of a FETCH
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

/// How many rows to fetch next, after so many made a piece of `size` bytes.
int next_count(int rows, std::size_t size) {
    constexpr std::size_t kGrowth = 10;
    const std::size_t fitting =
        static_cast<std::size_t>(rows) * kPieceBytes / std::max<std::size_t>(size, 1);
    return static_cast<int>(std::clamp<std::size_t>(
        std::min(fitting, kGrowth * static_cast<std::size_t>(rows)), 1, kMostRows));
}

}  // namespace

TypedStream::TypedStream(std::unique_ptr<Lease> lease, const httplib::Request& request,
                         const SqlCall& call, const std::string& output_format, MediaType type)
    : lease_(std::move(lease)), watch_(request) {
    const QueryResult list =
        lease_->query("SELECT pyqsys.output_columns($1::text)", {output_format}, &watch_);
    lease_->query("BEGIN", {}, &watch_);
    lease_->query("DECLARE epe_rows SCROLL CURSOR FOR SELECT * FROM " + call.function + " " +
                      std::string(list.value(0, 0)),
                  call.parameters, &watch_);
    // Runs the script, whose SQL may change settings, before those are made that values are read
    // with. ISO alone keeps the order of day and month that dates are read in.
    lease_->query("MOVE NEXT FROM epe_rows", {}, &watch_);
    lease_->query("MOVE PRIOR FROM epe_rows", {}, &watch_);
    lease_->query("SELECT pg_catalog.set_config('client_encoding', 'UTF8', true), "
                  "pg_catalog.set_config('DateStyle', 'ISO', true), "
                  "pg_catalog.set_config('bytea_output', 'hex', true), "
                  "pg_catalog.set_config('extra_float_digits', '1', true)",
                  {}, &watch_);
    fetch();
    writer_ = make_table_writer(type, columns_of(*rows_));
}

void TypedStream::fetch() {
    rows_ = lease_->query("FETCH " + std::to_string(wanted_rows_) + " FROM epe_rows", {}, &watch_);
}

std::string TypedStream::next() {
    std::string piece;
    if (!has_begun_)
        piece = writer_->begin();
    else
        fetch();
    has_begun_ = true;
    if (rows_->rows() > 0) piece += writer_->write(QueryRows(*rows_));
    if (rows_->rows() < std::exchange(wanted_rows_, next_count(wanted_rows_, piece.size()))) {
        lease_->query("COMMIT", {}, &watch_);
        piece += writer_->end();
        is_done_ = true;
    }
    return piece;
}

}  // namespace epe::gateway
