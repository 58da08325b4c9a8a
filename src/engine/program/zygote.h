// A process with Python and its packages loaded; engines are forked from it.
#pragma once

#include "engine/common/zygote_messages.h"

namespace epe::engine {

/// Serves the supervisor until it is gone. Single-threaded, so that it may fork.
[[noreturn]] void serve_supervisor(ZygoteBirth birth);

}  // namespace epe::engine
