// What PostgreSQL calls when it loads the library.
#include "entry/job_workers.h"
#include "entry/keeper.h"
#include "pg/function_call.h"
#include "pg/settings.h"

extern "C" {
EPE_EXPORT void _PG_init();
void _PG_init() {
    epe::pg::define_settings();
    epe::register_keeper();
    epe::register_job_workers();
}
}
