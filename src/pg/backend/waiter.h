// Waits of a backend for other processes.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"

namespace epe::pg {

std::unique_ptr<Waiter> make_waiter();

}  // namespace epe::pg
