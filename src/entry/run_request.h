// Runs a request from its script to its last result row.
#pragma once

#include "core/pipeline/ports.h"

namespace epe::pg {
class ResultTarget;
}

namespace epe {

/// What the caller may insist on.
struct RunRules {
    /// Fail with Error 42501 unless script and arguments are of trusted roles: the caller wants to
    /// unpickle the results where only those may be (trust.md, "Pickles").
    bool only_trusted = false;
    bool shows_progress = false;  ///< tell the client how many calls are done
    bool is_job = false;  ///< in engine processes, whose turn is waited for as long as it takes
    bool is_by_untrusted = false;  ///< an untrusted script has submitted the job
};

/// Finds the script, reads the input, runs the calls and gives their results to the sink, in the
/// shape. Returns whether all that they are made of is trusted.
bool run_request(const Request& request, const OutputShape& shape, ResultSink& sink,
                 const RunRules& rules);

/// Finds the script, reads the input, runs the calls and fills `target`.
void run_request(const Request& request, const pg::ResultTarget& target, const RunRules& rules);

/// Whether an untrusted script is running, which asks for what is asked for now.
bool is_in_untrusted_run() noexcept;

/// Looks up and analyses what run_request() would, and runs nothing. Throws what it would throw.
void check_request(const Request& request);

}  // namespace epe
