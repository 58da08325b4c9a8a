// The settings (GUCs) of the extension, all named oml_epe.*.
#pragma once

namespace epe::pg {

/// Called once, when PostgreSQL loads the library. A leaf.
void define_settings() noexcept;

}  // namespace epe::pg
