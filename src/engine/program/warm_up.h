// A first call, made in the zygote so that no engine has to.
#pragma once

namespace epe::engine {

/// Runs small scripts over a few rows of several types: what the first call in a process loads and
/// remembers is then shared by all engines. Does nothing where numpy and pandas are not loaded.
void warm_up() noexcept;

}  // namespace epe::engine
