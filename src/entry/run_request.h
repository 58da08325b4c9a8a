// Runs a request from its script to its last result row.
#pragma once

#include <memory>

#include "core/pipeline/pipeline.h"
#include "core/pipeline/running_call.h"
#include "entry/engine_choice.h"

namespace epe {

/// Options of the caller.
struct RunRules {
    /// Fail with Error 42501 unless script and arguments come from trusted roles: the caller will
    /// unpickle the results where only those are allowed (trust.md, "Pickles").
    bool only_trusted = false;
    bool shows_progress = false;   ///< tell the client how many calls are done
    bool is_job = false;           ///< in engine processes, waiting without limit for a free one
    bool is_by_untrusted = false;  ///< an untrusted script has submitted the job
    bool takes_all = false;        ///< as in CallPlan; run_request() sets it
};

/// Finds the script, opens the input and chooses the engine; Python runs from the first step on.
std::unique_ptr<RunningCall> start_request(Request request, OutputShape shape,
                                           const RunRules& rules);

/// Passes all results of a call, which takes all of them, to a sink. Errors of the sink get the
/// context of the call.
void deliver(RunningCall& call, ResultSink& sink);

/// Runs a request to its end. Returns whether everything its results are made from is trusted.
bool run_request(Request&& request, const OutputShape& shape, ResultSink& sink,
                 const RunRules& rules);

/// Whether everything that the results of a request are made from is trusted.
bool is_all_trusted(const Request& request, const Script& script);

/// Whether the current call was made by a running untrusted script.
bool is_in_untrusted_run() noexcept;

/// Looks up and analyses the same as start_request(), and runs nothing. Throws the same errors.
void check_request(const Request& request);

}  // namespace epe
