// Runs a request from its script to its last result row.
#pragma once

#include "core/pipeline/ports.h"

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

/// Finds the script, reads the input, runs the calls and fills `target`.
void run_request(const Request& request, const pg::ResultTarget& target, const RunRules& rules);

/// Whether the current call was made by a running untrusted script.
bool is_in_untrusted_run() noexcept;

/// Looks up and analyses the same as run_request(), and runs nothing. Throws the same errors.
void check_request(const Request& request);

}  // namespace epe
