// The background worker that keeps the supervisor of the engines alive.
#pragma once

namespace epe {

/// Has effect only while the library is loaded by shared_preload_libraries. A leaf.
void register_keeper() noexcept;

}  // namespace epe
