// Shared state: its allocation, and waiting for a change.
#include "jobs/shared_state.h"

#include <new>

#include "jobs/shared_state_internal.h"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/wait_event.h"
}

namespace epe::jobs {

namespace {

constexpr const char* kName = "oml_epe jobs";

SharedState* state = nullptr;
shmem_startup_hook_type previous_startup = nullptr;

void request_memory() noexcept {
    RequestAddinShmemSpace(sizeof(SharedState));
    RequestNamedLWLockTranche(kName, 1);
}

void start_up() noexcept {
    if (previous_startup != nullptr) previous_startup();
    bool is_found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    state = static_cast<SharedState*>(ShmemInitStruct(kName, sizeof(SharedState), &is_found));
    if (!is_found) {
        new (state) SharedState{};
        state->lock = &GetNamedLWLockTranche(kName)->lock;
        ConditionVariableInit(&state->changed);
    }
    LWLockRelease(AddinShmemInitLock);
}

#if PG_VERSION_NUM >= 150000
shmem_request_hook_type previous_request = nullptr;

void request() noexcept {
    if (previous_request != nullptr) previous_request();
    request_memory();
}
#endif

}  // namespace

SharedState* shared_state() noexcept { return state; }

void reserve_shared_state() noexcept {
    if (!process_shared_preload_libraries_in_progress) return;
#if PG_VERSION_NUM >= 150000
    previous_request = shmem_request_hook;
    shmem_request_hook = request;
#else
    request_memory();
#endif
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = start_up;
}

bool has_shared_state() noexcept { return state != nullptr; }

void announce_change() noexcept { ConditionVariableBroadcast(&state->changed); }

void prepare_to_wait() noexcept { ConditionVariablePrepareToSleep(&state->changed); }

void end_wait() noexcept { (void)ConditionVariableCancelSleep(); }

void wait_for_change(long milliseconds) noexcept {
    if (milliseconds < 0)
        ConditionVariableSleep(&state->changed, PG_WAIT_EXTENSION);
    else
        (void)ConditionVariableTimedSleep(&state->changed, milliseconds, PG_WAIT_EXTENSION);
}

}  // namespace epe::jobs
