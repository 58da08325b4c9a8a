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
    /// The input rows of the call, as in Call: they name it in messages.
    std::int64_t input_row = 0;
    std::int64_t input_row_count = 0;
    bool is_last = false;  ///< no piece of the same call follows, as far as the engine knows
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
    /// The consumer takes all results, and between two steps does nothing else; a request that it
    /// starts meanwhile ends before the next step. What a step sets up may then stay for the next.
    bool takes_all = false;
};

/// Why Engine::next() has returned.
enum class EngineStep : std::uint8_t {
    kResult,      ///< a piece of a result is ready
    kNeedsCalls,  ///< the engine accepts more calls; never after end_calls()
    kEnd,         ///< all calls are finished
};

/// Runs the calls of one request, step by step: begin(), then next() until kEnd. Results are
/// returned in call order; an engine may run ahead of them, by a bounded amount.
///
/// Between two steps the caller may do anything, run another request too: an engine keeps nothing
/// of its request in the state that requests of the process share. After an exception only the
/// destructor may be called.
///
/// The destructor of a request that has neither ended nor been stopped abandons it: after an error,
/// or while PostgreSQL aborts the transaction. It does not call the Host. Running generators are
/// closed, and interrupted if their finally blocks do not end soon.
class Engine {
   public:
    virtual ~Engine() = default;
    virtual void begin(const CallPlan& plan) = 0;
    /// Takes further calls; only after next() has returned kNeedsCalls.
    virtual void add_calls(Work work) = 0;
    /// No calls follow; only after next() has returned kNeedsCalls.
    virtual void end_calls() = 0;
    /// Runs until there is something for the caller to do. `result` is set for kResult.
    virtual EngineStep next(CallResult& result) = 0;
    /// Ends the request early, in a sound transaction; no-op after its end. A running generator is
    /// closed; its finally blocks may use the Host. Calls that have not begun never run. A failure
    /// of the script becomes a warning: the caller has the results that it wanted. Failures
    /// of the Host are thrown.
    virtual void stop() = 0;
    /// Adds the times it has measured for the request to `stats`, so far.
    virtual void report(CallStats& stats) const = 0;
};

}  // namespace epe
