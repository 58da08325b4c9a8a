// A JSON result, sent while it is read.
//
// The server has the whole of it before it sends any, in rows of some 100 kB
// (oml_epe.output_piece), so that an error of the call is an answer like any other, and the gateway
// holds a piece or two however long the result is. What the script did is committed before the last
// piece is sent.
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

/// The statement that gives the result of a call as rows of its bytes in UTF-8. They are bytes for
/// PostgreSQL: as text they would come in the encoding that the script's SQL has set.
RowQuery json_query(const SqlCall& call);

class JsonStream final : public PieceStream {
   public:
    /// Runs `call`, whose OUT_FMT is 'JSON'. `end`: what follows the result in the answer.
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
