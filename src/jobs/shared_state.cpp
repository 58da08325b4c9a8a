// What is shared: its place in memory, and the databases that have work.
#include "jobs/shared_state.h"

#include <new>

#include "jobs/shared_state_internal.h"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#else
#include "pgstat.h"
#endif
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

/// With the lock held. Whether a worker that waits could be woken.
bool wake_worker(Oid database) noexcept {
    for (Slot& slot : state->slots) {
        if (slot.state != SlotState::kWaiting || slot.database != database || slot.is_woken ||
            slot.must_yield)
            continue;
        slot.is_woken = true;
        SetLatch(slot.latch);
        return true;
    }
    return false;
}

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

Database* find_database(Oid oid, bool may_add) noexcept {
    Database* free_place = nullptr;
    for (Database& each : state->databases) {
        if (each.oid == oid) return &each;
        if (free_place == nullptr && !OidIsValid(each.oid)) free_place = &each;
    }
    if (!may_add) return nullptr;
    if (free_place == nullptr) {
        for (Database& each : state->databases)
            if (!each.wants_worker && each.queued == 0) free_place = &each;
    }
    if (free_place == nullptr) {
        state->wants_scan = true;
        return nullptr;
    }
    *free_place = Database{};
    free_place->oid = oid;
    return free_place;
}

void wake_launcher() noexcept {
    if (state->launcher != nullptr) SetLatch(state->launcher);
}

void announce(std::uint32_t database, std::int64_t jobs, bool is_look) noexcept {
    const Locked lock;
    Database* place = find_database(database, true);
    if (place != nullptr) {
        place->queued += jobs;
        ++place->version;
        if (!is_look && wake_worker(database)) return;
        place->wants_worker = true;
    }
    wake_launcher();
}

std::uint64_t queue_version(std::uint32_t database) noexcept {
    const Locked lock;
    const Database* place = find_database(database, false);
    return place == nullptr ? 0 : place->version;
}

void note_empty(std::uint32_t database, std::uint64_t version) noexcept {
    const Locked lock;
    Database* place = find_database(database, false);
    if (place == nullptr || place->version != version) return;
    place->queued = 0;
    place->wants_worker = false;
}

void note_queued(std::uint32_t database, std::int64_t jobs) noexcept {
    const Locked lock;
    Database* place = find_database(database, true);
    if (place == nullptr) return;
    place->queued = Max(place->queued, jobs);
    if (place->queued > 1) place->wants_worker = true;
    wake_launcher();
}

void want_worker(std::uint32_t database) noexcept {
    const Locked lock;
    Database* place = find_database(database, true);
    if (place != nullptr) place->wants_worker = true;
}

void forget_database(std::uint32_t database) noexcept {
    const Locked lock;
    Database* place = find_database(database, false);
    if (place != nullptr) *place = Database{};
}

std::uint32_t known_database(int& index) noexcept {
    const Locked lock;
    while (index < kMostDatabases) {
        const Database& each = state->databases[index++];
        if (OidIsValid(each.oid) && each.has_extension) return each.oid;
    }
    return InvalidOid;
}

void tell_change() noexcept { ConditionVariableBroadcast(&state->changed); }

void prepare_to_wait() noexcept { ConditionVariablePrepareToSleep(&state->changed); }

void end_wait() noexcept { (void)ConditionVariableCancelSleep(); }

void wait_for_change(long milliseconds) noexcept {
    if (milliseconds < 0)
        ConditionVariableSleep(&state->changed, PG_WAIT_EXTENSION);
    else
        (void)ConditionVariableTimedSleep(&state->changed, milliseconds, PG_WAIT_EXTENSION);
}

}  // namespace epe::jobs
