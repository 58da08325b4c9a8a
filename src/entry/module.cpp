// What PostgreSQL calls when it loads the library.
#include "entry/job_workers.h"
#include "entry/keeper.h"
#include "pg/call_hints.h"
#include "pg/function_call.h"
#include "pg/settings.h"

extern "C" {
EPE_EXPORT void _PG_init();
void _PG_init() {
    epe::pg::define_settings();
    epe::pg::install_call_hints();
    epe::register_keeper();
    epe::register_job_workers();
}
}
