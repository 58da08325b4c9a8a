// What PostgreSQL calls when it loads the library.
#include "pg/function_call.h"
#include "pg/settings.h"

extern "C" {
EPE_EXPORT void _PG_init();
void _PG_init() { epe::pg::define_settings(); }
}
