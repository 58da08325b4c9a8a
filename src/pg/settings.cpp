// The settings (GUCs) of the extension, all named oml_epe.*.
#include "pg/settings.h"

extern "C" {
#include "postgres.h"

#include "utils/guc.h"
}

namespace epe::pg {

void define_settings() noexcept {
    // None yet: from here on a misspelt oml_epe.something is refused instead of kept silently.
#if PG_VERSION_NUM >= 150000
    MarkGUCPrefixReserved("oml_epe");
#else
    EmitWarningsOnPlaceholders("oml_epe");
#endif
}

}  // namespace epe::pg
