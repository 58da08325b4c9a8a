// numeric to double precision without text.
#pragma once

extern "C" {
#include "postgres.h"
}

namespace epe::pg {

/// The nearest double, as in numeric's own cast to double precision, but without text. Raises 22003
/// for values too large; too small ones become 0, where that cast is an error.
double numeric_to_double(Datum value) noexcept;

/// The same for values that need neither memory nor the library's parser; false for the others.
bool plain_numeric(Datum value, double& result) noexcept;

}  // namespace epe::pg
