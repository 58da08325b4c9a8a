// The ports of the hexagon: the interfaces between core, PostgreSQL and the engines.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch/batch.h"
#include "core/batch/batch_builder.h"
#include "core/pipeline/call_stats.h"
#include "core/pipeline/host.h"
#include "core/pipeline/output_shape.h"
#include "core/request/request.h"

namespace epe {

/// A script of the repository, found and privilege-checked for the caller.
struct Script {
    std::string owner{};  ///< role name, or "pyqsys" for a global script
    std::string name{};
    std::string source{};
    bool is_trusted = false;       ///< may run inside a backend (docs/explanation/trust.md)
    std::uint64_t version = 0;     ///< differs for each version of the source, within a session
    std::uint32_t owner_role = 0;  ///< OID of the owner; 0 for a global script
    std::string engine_group{};    ///< an engine never serves scripts of two groups
};

/// Rows of a table or query.
class InputSource {
   public:
    virtual ~InputSource() = default;
    /// Valid as long as the source exists.
    virtual const Schema& schema() const = 0;
    /// Appends up to `max_rows` further rows (all remaining ones when 0) and returns the number of
    /// rows fetched from the query, omitted ones included; 0 at the end.
    virtual std::int64_t read(BatchBuilder& into, std::int64_t max_rows) = 0;
    /// Releases the query. Not called after an error: the abort releases it.
    virtual void close() = 0;
};

/// Batches one at a time: the input of a function that takes an iterator.
class BatchStream {
   public:
    virtual ~BatchStream() = default;
    /// False at the end.
    virtual bool next(Batch& batch) = 0;
};

/// One run of the function.
struct Call {
    std::int64_t number = 1;  ///< from 1: chunk, group or index number
    /// NAME in results: chunk, group, index; none for a single call
    std::optional<std::string> name{};
    std::int64_t first_row = 0;  ///< in the batch of its Work
    std::int64_t row_count = 0;
    std::int64_t input_row = 0;  ///< 0-based number of its first row in the whole input
};

/// Calls over one batch. Small groups share a batch.
struct Work {
    EvalFunction function = EvalFunction::kEval;
    Batch batch{};                  ///< none for kEval, kIndex and streams
    BatchStream* stream = nullptr;  ///< borrowed: calls[0] gets an iterator over it
    std::vector<Call> calls{};
};

/// A piece of a call's result, in the columns of the output shape.
struct CallResult {
    std::int64_t call_number = 0;
    std::optional<std::string> call_name{};
    Batch batch{};
    bool is_frame = false;  ///< JSON: value is an array of the records of a frame
    /// 0-based number of the batch's first row within the call's result (generators).
    std::int64_t first_row = 0;
};

/// Takes results in call order.
class ResultSink {
   public:
    virtual ~ResultSink() = default;
    virtual void add(CallResult result) = 0;
};

/// How an engine must run the calls of one request.
struct CallPlan {
    const Script* script = nullptr;
    EvalFunction function = EvalFunction::kEval;
    Controls controls{};
    std::string arguments_json{};
    /// Pickled arguments, which for a script without source include its function
    /// (src/py/runtime/pickles.py); borrowed.
    std::string_view pickled{};
    /// The script and the author of the pickled arguments are both trusted
    /// (docs/explanation/trust.md).
    bool is_trusted = false;
    const OutputShape* shape = nullptr;
    const Schema* input = nullptr;  ///< schema of the rows; null for kEval and kIndex
    /// JSON results are joined as for this function: a stored result is replayed by calls of
    /// another kind.
    std::optional<EvalFunction> joined_as{};
};

/// Runs Python. Results reach the sink in call order, at the latest in finish_request(): an engine
/// may run ahead of its results.
class Engine {
   public:
    virtual ~Engine() = default;
    virtual void begin(const CallPlan& plan) = 0;
    virtual void run_calls(Work work, ResultSink& sink) = 0;
    virtual void finish_request(ResultSink& sink) = 0;
    /// Adds the times it has measured for the request to `stats`; called after finish_request().
    virtual void report(CallStats& stats) const = 0;
};

}  // namespace epe
