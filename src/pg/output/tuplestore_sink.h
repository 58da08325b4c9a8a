// Collects the results of a call as the tuples of a set-returning SQL function.
#pragma once

#include "core/pipeline/ports.h"

struct Tuplestorestate;

namespace epe::pg {

class ResultTarget;
struct RowWriter;

/// Writes batches into a tuplestore of work_mem, spilling to disk beyond it. `target` must outlive
/// it. close() passes the tuples to PostgreSQL; without it there is no result, and the abort of the
/// call releases everything.
class TuplestoreSink final : public ResultSink {
   public:
    explicit TuplestoreSink(const ResultTarget& target);
    /// Throws PgError: values that cannot be converted, with column and row as context; the
    /// engine adds the script and the call.
    void add(CallResult result) override;
    void close();

   private:
    const ResultTarget& target_;
    RowWriter* writer_ = nullptr;
    Tuplestorestate* store_ = nullptr;
};

}  // namespace epe::pg
