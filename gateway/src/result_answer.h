// Responses with the result of a call that has just run or was stored by a job, in the format that
// the client accepts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "accept.h"
#include "answer.h"
#include "run_call.h"
#include "session.h"

namespace epe::gateway {

struct ResultQuery {
    RunKind kind = RunKind::kEval;
    bool wants_graphics = false;
    Parameter output_format{};                                ///< of a typed result
    std::function<SqlCall(const Parameter& out_fmt)> call{};  ///< in FROM
    std::optional<std::string> comments{};                    ///< returned beside "result"
};

/// The format that the client accepts for the result. Throws ApiError 406, or 400 for a format that
/// the query does not support.
MediaType media_type_of(const Exchange& exchange, const ResultQuery& query);

void answer_with_result(Exchange& exchange, std::unique_ptr<Lease> lease, const ResultQuery& query,
                        MediaType type);

}  // namespace epe::gateway
