// The engine launcher: a background worker that keeps the supervisor of the engines running.
#pragma once

namespace epe {

/// Registers it; no-op unless the library is being loaded by shared_preload_libraries. A leaf.
void register_engine_launcher() noexcept;

}  // namespace epe
