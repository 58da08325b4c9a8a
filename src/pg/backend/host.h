// PostgreSQL's services for a script running in this backend.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"

namespace epe::pg {

std::unique_ptr<Host> make_host();

}  // namespace epe::pg
