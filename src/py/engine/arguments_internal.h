// The keyword arguments of a script's function.
#pragma once

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// The arguments in PAR_LST as keyword arguments, and the pickled arguments.
class Arguments {
   public:
    explicit Arguments(const CallPlan& plan);

    /// Whether load() has work to do.
    bool are_pickled() const noexcept { return !plan_.pickled.empty(); }
    /// Unpickles: runs the code of the pickle. Returns the function that was pickled with the
    /// arguments; null when there is none. Throws ScriptError.
    Ref load();
    /// The dict for the next call, or null when there are no arguments. Every call gets its own
    /// lists and dicts: a script may change them. Throws ScriptError.
    PyObject* next();

   private:
    void parse();

    const CallPlan& plan_;
    Ref pickled_{};  // an _oml_epe_runtime.pickles.Arguments
    Ref values_{};
    bool is_empty_;
    bool is_shareable_ = false;  // scalars only
};

}  // namespace epe::py
