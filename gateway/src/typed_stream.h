// A result with typed columns, sent while it is read.
//
// The call runs in a transaction, behind a cursor. The first rows are fetched before anything is
// sent, so that an error of the call is an answer like any other; what goes wrong later cuts the
// answer off. The transaction commits before the answer ends: whoever got the end of the result
// knows that what the script wrote is there.
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
    std::optional<RowStream> rows_{};  ///< of the FETCH that goes on
    RowBatch batch_{};
    int fetched_ = 0;  // rows of that FETCH
    bool has_all_ = false;
    bool has_begun_ = false;
    bool is_done_ = false;
};

}  // namespace epe::gateway
