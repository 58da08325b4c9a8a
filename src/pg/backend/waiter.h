// Waiting in a backend for somebody else's answer.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"

namespace epe::pg {

std::unique_ptr<Waiter> make_waiter();

}  // namespace epe::pg
