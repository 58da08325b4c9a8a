// Shared state: the queues, and the databases that have work.
#include "jobs/queues.h"

#include "jobs/queues_internal.h"
#include "jobs/schedule_internal.h"

namespace epe::jobs {

namespace {

bool has_workers(const Queue& queue) noexcept {
    return count_workers(queue.database, queue.role) > 0;
}

TimestampTz after(int milliseconds) noexcept {
    return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
}

void want_worker(Queue& queue) noexcept {
    set_wanted(queue.demand);
    wake_launcher();
}

void request_maintenance_of(Oid database) noexcept {
    Database* place = find_database(database, true);
    if (place != nullptr) {
        place->maintenance.is_wanted = true;
        place->maintenance.due = 0;
    }
    wake_launcher();
}

}  // namespace

Database* find_database(Oid oid, bool may_add) noexcept {
    SharedState& state = *shared_state();
    Database* free_place = nullptr;
    for (Database& each : state.databases) {
        if (each.oid == oid) return &each;
        if (free_place == nullptr && !OidIsValid(each.oid)) free_place = &each;
    }
    if (!may_add) return nullptr;
    if (free_place == nullptr) {
        for (Database& each : state.databases)
            if (!each.maintenance.is_wanted) free_place = &each;
    }
    if (free_place == nullptr) {
        state.wants_scan = true;
        return nullptr;
    }
    *free_place = Database{};
    free_place->oid = oid;
    return free_place;
}

Queue* find_queue(Oid database, Oid role, bool may_add) noexcept {
    SharedState& state = *shared_state();
    Queue* free_place = nullptr;
    for (Queue& each : state.queues) {
        if (each.database == database && each.role == role) return &each;
        if (OidIsValid(each.database)) continue;
        free_place = &each;
        break;  // the rest has never been used
    }
    if (!may_add) return nullptr;
    if (free_place == nullptr) {
        for (Queue& each : state.queues)
            if (each.queued == 0 && !each.demand.is_wanted && !has_workers(each))
                free_place = &each;
    }
    if (free_place == nullptr) return nullptr;
    *free_place = Queue{};
    free_place->database = database;
    free_place->role = role;
    return free_place;
}

void wake_launcher() noexcept {
    if (shared_state()->launcher != nullptr) SetLatch(shared_state()->launcher);
}

bool wake_worker(Oid database, Oid role) noexcept {
    for (Slot& slot : shared_state()->slots) {
        if (slot.state != SlotState::kWaiting || slot.database != database || slot.role != role ||
            slot.is_woken || slot.must_yield)
            continue;
        slot.is_woken = true;
        SetLatch(slot.latch);
        return true;
    }
    return false;
}

void set_wanted(Demand& demand) noexcept { demand.is_wanted = true; }

void set_delayed(Demand& demand) noexcept {
    constexpr int kMostSeconds = 10;
    ++demand.failures;
    demand.is_wanted = true;
    demand.due = demand.failures == 1 ? 0 : after(Min(demand.failures - 1, kMostSeconds) * 1000);
}

// ------------------------------------------------------------------------------------ queues

void announce(std::uint32_t database, std::uint32_t role, std::int64_t jobs) noexcept {
    const Locked lock;
    Queue* queue = find_queue(database, role, true);
    if (queue == nullptr) {  // maintenance adds it when there is room
        request_maintenance_of(database);
        return;
    }
    queue->queued += jobs;
    ++queue->version;
    if (!wake_worker(database, role)) want_worker(*queue);
}

std::uint64_t queue_version(const Assignment& queue) noexcept {
    const Locked lock;
    const Queue* found = find_queue(queue.database, queue.role, false);
    return found == nullptr ? 0 : found->version;
}

void note_empty(const Assignment& queue, std::uint64_t version) noexcept {
    const Locked lock;
    Queue* found = find_queue(queue.database, queue.role, false);
    if (found == nullptr || found->version != version) return;
    found->queued = 0;
    found->demand = Demand{};
}

void note_queued(const Assignment& queue, std::int64_t jobs) noexcept {
    const Locked lock;
    Queue* found = find_queue(queue.database, queue.role, true);
    if (found == nullptr) {
        Database* place = find_database(queue.database, true);
        if (place == nullptr) return;
        place->maintenance.is_wanted = true;
        place->maintenance.due = after(1000);
        return;
    }
    found->queued = Max(found->queued, jobs);
    ++found->version;
    if (!wake_worker(queue.database, queue.role)) want_worker(*found);
}

// ------------------------------------------------------------------ jobs at a time per role

void note_cap(const Assignment& queue, int most) noexcept {
    const Locked lock;
    Queue* found = find_queue(queue.database, queue.role, false);
    if (found == nullptr) return;
    found->cap = most;
    found->is_cap_known = true;
}

bool is_cap_known(const Assignment& queue) noexcept {
    const Locked lock;
    const Queue* found = find_queue(queue.database, queue.role, false);
    return found != nullptr && found->is_cap_known;
}

void forget_caps() noexcept {
    const Locked lock;
    for (Queue& each : shared_state()->queues) each.is_cap_known = false;
    wake_launcher();
}

void set_default_cap(int most) noexcept {
    const Locked lock;
    if (shared_state()->default_cap == most) return;
    shared_state()->default_cap = most;
    for (Queue& each : shared_state()->queues) each.is_cap_known = false;
}

int default_cap() noexcept {
    const Locked lock;
    return shared_state()->default_cap;
}

// -------------------------------------------------------------------------------- databases

void request_maintenance(std::uint32_t database) noexcept {
    const Locked lock;
    request_maintenance_of(database);
}

void request_maintenance_later(std::uint32_t database) noexcept {
    constexpr int kMostDoublings = 5;
    const Locked lock;
    Database* place = find_database(database, true);
    if (place == nullptr || (place->maintenance.is_wanted && place->maintenance.due == 0)) return;
    place->has_changes = true;
    place->maintenance.is_wanted = true;
    place->maintenance.due = after(1000 << Min(place->late_runs, kMostDoublings));
    place->late_runs = Min(place->late_runs + 1, kMostDoublings);
    wake_launcher();
}

void request_maintenance_if_changes_wait(std::uint32_t database) noexcept {
    const Locked lock;
    const Database* place = find_database(database, false);
    if (place != nullptr && place->has_changes) request_maintenance_of(database);
}

void note_maintenance(std::uint32_t database, bool has_extension, bool has_changes) noexcept {
    const Locked lock;
    Database* place = find_database(database, true);
    if (place == nullptr) return;
    place->has_extension = has_extension;
    place->has_changes = has_changes;
    if (!has_changes) place->late_runs = 0;
    place->maintenance.failures = 0;
}

void forget_database(std::uint32_t database) noexcept {
    const Locked lock;
    Database* place = find_database(database, false);
    if (place != nullptr) *place = Database{};
    for (Queue& each : shared_state()->queues) {
        if (each.database != database) continue;
        each.queued = 0;  // its entry can be reused
        each.demand = Demand{};
    }
}

std::uint32_t known_database(int& index) noexcept {
    const Locked lock;
    while (index < kMostDatabases) {
        const Database& each = shared_state()->databases[index++];
        if (OidIsValid(each.oid) && each.has_extension) return each.oid;
    }
    return InvalidOid;
}

}  // namespace epe::jobs
