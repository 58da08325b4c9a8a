// Checks the text of a script that is to be stored.
#pragma once

#include <string>

#include "core/pipeline/ports.h"

namespace epe::py {

/// Compiles the text of a script and checks that it defines a callable, without running it. Throws
/// Error 22023: for a SyntaxError with line, text and caret in its detail.
void check_script(const std::string& name, const std::string& source, Host& host,
                  const InterruptFlags& flags);

}  // namespace epe::py
