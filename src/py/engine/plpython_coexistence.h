// Lets plpython3u start after oml_epe.
#pragma once

namespace epe::py {

/// Whether plpython3u is loaded, has not started Python yet, and would end the process if it
/// started Python after oml_epe.
bool has_idle_plpython() noexcept;

}  // namespace epe::py
