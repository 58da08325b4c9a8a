// Callbacks at the end of a server process.
#include "pg/boundary/process_end.h"

extern "C" {
#include "postgres.h"

#include <unistd.h>

#include "miscadmin.h"
#include "storage/ipc.h"
}

#include "pg/boundary/boundary.h"

namespace epe::pg {

namespace {

void (*registered)() noexcept = nullptr;

void run_registered(int, Datum) noexcept {
    if (MyProcPid == getpid()) registered();  // not in a child that a script has forked
}

}  // namespace

void at_process_end(void (*action)() noexcept) {
    if (registered != nullptr) return;
    guarded([]() noexcept { on_proc_exit(run_registered, 0); });
    registered = action;
}

}  // namespace epe::pg
