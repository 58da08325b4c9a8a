// A result with typed columns, streamed while it is read from the database.
//
// The call runs in a transaction, through a cursor. The first rows are fetched before the response
// starts, so that an error of the call becomes an ordinary error response; a later error aborts the
// response. The transaction commits before the response ends: a client that has read the end of the
// result can rely on the script's changes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "accept.h"
#include "client_watch.h"
#include "piece_stream.h"
#include "row_batch.h"
#include "row_stream.h"
#include "run_call.h"
#include "session.h"
#include "table_writer.h"

namespace epe::gateway {

class TypedStream final : public PieceStream {
   public:
    /// Runs `call`, whose OUT_FMT is `output_format`, and fetches the first rows.
    TypedStream(std::unique_ptr<Lease> lease, const httplib::Request& request, const SqlCall& call,
                const std::string& output_format, MediaType type);

    std::string next() override;
    bool is_done() const override { return is_done_; }

   private:
    void fetch();

    std::unique_ptr<Lease> lease_;
    ClientWatch watch_;
    std::unique_ptr<TableWriter> writer_{};
    std::optional<RowStream> rows_{};  ///< rows of the current FETCH
    RowBatch batch_{};
    int fetched_ = 0;  // rows read from the current FETCH
    bool has_all_ = false;
    bool has_begun_ = false;
    bool is_done_ = false;
};

}  // namespace epe::gateway
