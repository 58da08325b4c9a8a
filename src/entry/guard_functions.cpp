// Triggers that guard the extension's tables.
#include "pg/boundary/function_call.h"
#include "pg/catalog/table_guard.h"

EPE_FUNCTION(epe_require_owner) { epe::pg::require_table_owner(call); }
EPE_FUNCTION(epe_ignore_replicated) { epe::pg::ignore_replicated_change(call); }
