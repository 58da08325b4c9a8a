// The functions that PostgreSQL calls when it loads the library.
#include "entry/engine_launcher.h"
#include "entry/job_workers.h"
#include "entry/planned_calls.h"
#include "pg/backend/call_hints.h"
#include "pg/backend/settings.h"
#include "pg/boundary/function_call.h"

extern "C" {
EPE_EXPORT void _PG_init();
void _PG_init() {
    epe::pg::define_settings();
    epe::pg::install_call_hints();
    epe::install_planned_functions();
    epe::register_engine_launcher();
    epe::register_job_workers();
}
}
