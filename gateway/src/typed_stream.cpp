#include "typed_stream.h"

#include <httplib.h>

#include <utility>

namespace epe::gateway {
namespace {

constexpr int kMostRows = 10000;  // per FETCH, and per piece
constexpr const char* kFetch = "FETCH 10000 FROM epe_rows";
constexpr std::size_t kPieceBytes = std::size_t{2} << 20;

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
    // Runs the script before the settings for reading values are made, because the script's SQL may
    // change settings. DateStyle ISO sets only the output style and keeps the input order of day
    // and month.
    lease_->query("MOVE NEXT FROM epe_rows", {}, &watch_);
    lease_->query("MOVE PRIOR FROM epe_rows", {}, &watch_);
    lease_->query("SELECT pg_catalog.set_config('client_encoding', 'UTF8', true), "
                  "pg_catalog.set_config('DateStyle', 'ISO', true), "
                  "pg_catalog.set_config('bytea_output', 'hex', true), "
                  "pg_catalog.set_config('extra_float_digits', '1', true)",
                  {}, &watch_);
    writer_ =
        make_table_writer(type, columns_of(lease_->query("FETCH 0 FROM epe_rows", {}, &watch_)));
    fetch();
}

/// Fills the batch; it is left incomplete only if all rows have been read.
void TypedStream::fetch() {
    batch_.clear();
    while (batch_.bytes() < kPieceBytes && batch_.rows() < kMostRows) {
        if (!rows_) {
            rows_.emplace(lease_->rows({kFetch}, &watch_));
            fetched_ = 0;
        }
        if (const auto row = rows_->next()) {
            batch_.add(*row);
            ++fetched_;
            continue;
        }
        rows_.reset();
        has_all_ = fetched_ < kMostRows;
        if (has_all_) return;
    }
}

std::string TypedStream::next() {
    std::string piece;
    if (!has_begun_)
        piece = writer_->begin();
    else
        fetch();
    has_begun_ = true;
    if (batch_.rows() > 0) piece += writer_->write(batch_);
    if (has_all_) {
        lease_->last_query("COMMIT", {}, &watch_);
        piece += writer_->end();
        is_done_ = true;
    }
    return piece;
}

}  // namespace epe::gateway
