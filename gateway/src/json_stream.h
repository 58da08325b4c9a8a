// A JSON result, streamed while it is read from the database.
//
// The server computes the whole result before it sends the first row; rows contain some 100 kB each
// (oml_epe.output_piece). So an error of the call becomes an ordinary error response, and the
// gateway buffers one or two pieces regardless of the result's length. The transaction of the call
// is committed before the last piece is sent.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "client_watch.h"
#include "piece_stream.h"
#include "row_stream.h"
#include "run_call.h"
#include "session.h"

namespace epe::gateway {

/// The statement that returns the result of a call as rows of its bytes in UTF-8. The column type
/// is bytea: text would be converted to the client encoding, which the script's SQL may have
/// changed.
RowQuery json_query(const SqlCall& call);

class JsonStream final : public PieceStream {
   public:
    /// Runs `call`, whose OUT_FMT is 'JSON'. `end`: the text that follows the result in the
    /// response.
    JsonStream(std::unique_ptr<Lease> lease, const httplib::Request& request, const SqlCall& call,
               std::string end);

    std::string next() override;
    bool is_done() const override { return is_done_; }

   private:
    std::unique_ptr<Lease> lease_;
    ClientWatch watch_;
    RowStream rows_;
    std::optional<QueryResult> ahead_;
    std::string end_;
    bool has_begun_ = false;
    bool is_done_ = false;
};

}  // namespace epe::gateway
