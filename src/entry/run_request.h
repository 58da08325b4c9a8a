// Runs a request from its script to its last result row.
#pragma once

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

/// Finds the script, reads the input, runs the calls and passes their results to the sink, in the
/// shape. Returns whether everything they are made from is trusted.
bool run_request(const Request& request, const OutputShape& shape, ResultSink& sink,
                 const RunRules& rules);

/// The same for the SQL call whose result `target` describes. The casts of the result are looked up
/// first: their errors come before those of the script.
void run_call(const Request& request, const pg::ResultTarget& target, const RunRules& rules);

/// A script and its calls; everything is borrowed.
struct PreparedCalls {
    const Request& request;
    const Script& script;
    const OutputShape& shape;
    InputSource* source;  ///< null for kEval and kIndex
    Cut& cut;
    Host& host;
    EngineRules rules{};
    std::optional<EvalFunction> joined_as{};  ///< as in CallPlan
};

/// Runs the calls in the engine that the rules allow, passes their results to the sink, and closes
/// the source. Warns of unknown control arguments.
CallStats run_calls(const PreparedCalls& calls, ResultSink& sink);

/// Whether the current call was made by a running untrusted script.
bool is_in_untrusted_run() noexcept;

/// Looks up and analyses the same as run_request(), and runs nothing. Throws the same errors.
void check_request(const Request& request);

}  // namespace epe
