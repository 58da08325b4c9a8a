// Runs a request: the input is partitioned, an engine runs the calls, a consumer takes the results.
#pragma once

#include <optional>

#include "core/error.h"
#include "core/pipeline/json_merger.h"
#include "core/pipeline/partitioner.h"

namespace epe {

/// True when the input of a request is passed to its function as a float64 matrix.
bool takes_matrix(const Controls& controls, const Schema& schema) noexcept;

/// The partitioner for a request. `source` is null for kEval and kIndex.
std::unique_ptr<Cut> make_cut(const Request& request, InputSource* source);

/// The plan of a request's calls, for synchronous calls, jobs and replays alike. `input` is the
/// schema of the rows, null for kEval and kIndex. Borrows everything.
CallPlan make_call_plan(const Request& request, const Script& script, const OutputShape& shape,
                        const Schema* input, bool is_trusted);

/// One request, advanced step by step by the consumer of its results. Borrows everything. An
/// exception ends it: afterwards only the destructor may be called, and the engine's.
class Pipeline {
   public:
    Pipeline(Cut& cut, Engine& engine, const CallPlan& plan);

    /// Sets the next piece of a result; false at the end. The first call begins the request. Joins
    /// the results of several calls into one for the formats that have one row (JSON), and rejects
    /// results beyond the limits of the output shape.
    bool next(CallResult& result);
    /// Ends the request early (Engine::stop). No-op before the first call of next(), and after the
    /// end.
    void stop();
    /// Whether next() has returned false, or stop() has been called.
    bool is_over() const noexcept { return state_ == State::kOver; }

    /// Adds the call whose result was returned last to the context of an error of the consumer.
    void add_place(ErrorReport& report) const;
    /// What has been counted so far. With CallPlan::takes_all, the time between two steps counts as
    /// that of converting results to tuples, and otherwise not at all.
    CallStats stats() const;

   private:
    enum class State : std::uint8_t { kNew, kRunning, kOver };

    bool advance(CallResult& result);
    bool take_result(CallResult& result);
    void feed_engine();
    void check_limits(const Batch& batch);

    Cut& cut_;
    Engine& engine_;
    const CallPlan& plan_;
    std::optional<JsonResult> joined_{};
    bool is_limited_;
    std::int64_t bytes_left_;  // of all results, unless they are relational
    State state_ = State::kNew;
    CallStats stats_{};
    std::int64_t returned_ = 0;   // when next() returned the last result
    std::optional<Call> last_{};  // the call of the last result; none if calls were joined
};

}  // namespace epe
