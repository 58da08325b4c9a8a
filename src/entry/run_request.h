// Runs a request from its script to its last result row.
#pragma once

#include "core/request.h"

namespace epe::pg {
class ResultTarget;
}

namespace epe {

/// What the caller may insist on.
struct RunRules {
    /// Fail with Error 42501 unless script and arguments are of trusted roles: the caller wants to
    /// unpickle the results where only those may be (DESIGN section 3).
    bool only_trusted = false;
    bool shows_progress = false;  ///< tell the client how many calls are done
};

/// Finds the script, reads the input, runs the calls and fills `target`.
void run_request(const Request& request, const pg::ResultTarget& target, const RunRules& rules);

}  // namespace epe
