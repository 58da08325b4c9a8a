// Runs a request from its script to its last result row.
#pragma once

#include <memory>

#include "core/pipeline/pipeline.h"
#include "entry/engine_choice.h"

namespace epe::pg {
class ResultTarget;
}

namespace epe {

/// Options of the caller.
struct RunRules {
    /// Fail with Error 42501 unless script and arguments come from trusted roles: the caller will
    /// unpickle the results where only those are allowed (trust.md, "Pickles").
    bool only_trusted = false;
    bool shows_progress = false;   ///< tell the client how many calls are done
    bool is_job = false;           ///< in engine processes, waiting without limit for a free one
    bool is_by_untrusted = false;  ///< an untrusted script has submitted the job
};

/// Rows of a running call, pulled by an SQL function or a plan node.
///
/// Everything that it allocates from PostgreSQL belongs to the memory context that is current when
/// it starts and in each step: one that lives as long as the object. Between two steps, any other
/// code may run, and the current user and role may differ: every step has those of the start.
///
/// Unless the call has ended or was stopped, the destructor abandons it (Engine): it calls no
/// function of PostgreSQL, and may be called while the transaction is aborted.
class RunningCall {
   public:
    virtual ~RunningCall() = default;
    RunningCall(const RunningCall&) = delete;
    RunningCall& operator=(const RunningCall&) = delete;
    /// Sets the next rows; false at the end. After an exception, only the destructor may be called.
    virtual bool next(CallResult& result) = 0;
    /// Ends the call early, in a sound transaction; no-op after the end. See Engine::stop().
    virtual void stop() = 0;
    /// Adds the call of the last result to the context of an error of the consumer.
    virtual void add_place(ErrorReport& report) const = 0;
    /// Counts time of the consumer as that of converting results to tuples.
    virtual void count_emit(std::int64_t nanoseconds) noexcept = 0;
    virtual CallStats stats() const = 0;
    /// Whether everything that the results are made from is trusted.
    virtual bool is_trusted() const = 0;
    virtual const Script& script() const = 0;

   protected:
    RunningCall() = default;
};

/// Finds the script, opens the input and chooses the engine; Python runs from the first step on.
std::unique_ptr<RunningCall> start_request(Request request, OutputShape shape,
                                           const RunRules& rules);

/// Passes all results of a call to a sink. Errors of the sink get the context of the call.
void deliver(RunningCall& call, ResultSink& sink);

/// Runs a request to its end. Returns whether everything its results are made from is trusted.
bool run_request(Request request, const OutputShape& shape, ResultSink& sink,
                 const RunRules& rules);

/// The same for the SQL call whose result `target` describes. The casts of the result are looked up
/// first: their errors come before those of the script.
void run_call(Request request, const pg::ResultTarget& target, const RunRules& rules);

/// Whether the current call was made by a running untrusted script.
bool is_in_untrusted_run() noexcept;

/// Looks up and analyses the same as start_request(), and runs nothing. Throws the same errors.
void check_request(const Request& request);

}  // namespace epe
