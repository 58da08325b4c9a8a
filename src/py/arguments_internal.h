// The keyword arguments of a script's function.
#pragma once

#include <string>

#include "py/ref_internal.h"

namespace epe::py {

/// PAR_LST as keyword arguments, without the control arguments.
class Arguments {
   public:
    explicit Arguments(const std::string& json);

    /// The dict for the next call, or null when there are no arguments. Every call gets lists
    /// and dicts of its own: a script may change them. Throws ScriptError.
    PyObject* next();

   private:
    void parse();

    const std::string& json_;
    Ref values_{};
    bool is_empty_;
    bool is_shareable_ = false;  // scalars only
};

}  // namespace epe::py
