// Whether the running code is importing a module.
#pragma once

namespace epe::py {

/// True when a frame of an import statement is near the top of this thread's stack. Scripts
/// themselves are not imported. Needs the GIL; leaves no exception.
bool is_importing() noexcept;

}  // namespace epe::py
