// A warm-up call, made once in the zygote instead of in each engine.
#pragma once

namespace epe::engine {

/// Runs small scripts over a few rows of several types, so that all engines share the modules and
/// caches of a first call. No-op where numpy and pandas are not loaded.
void warm_up() noexcept;

}  // namespace epe::engine
