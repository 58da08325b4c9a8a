// The launcher's choice of the next queue to serve, and of the worker that makes room for it.
#include "jobs/schedule.h"

#include "jobs/queues_internal.h"
#include "jobs/schedule_internal.h"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
}

namespace epe::jobs {

namespace {

void release_launcher(int, Datum) noexcept {
    const Locked lock;
    shared_state()->launcher = nullptr;
}

bool is_capped(const Queue& queue) noexcept {
    return queue.is_cap_known && queue.cap > 0 && count_workers(queue.role) >= queue.cap;
}

/// If the role's maximum is unknown, one worker at a time looks it up.
bool is_being_asked(const Queue& queue) noexcept {
    if (queue.is_cap_known) return false;
    for (const Slot& slot : shared_state()->slots)
        if (slot.state != SlotState::kFree && slot.role == queue.role && slot.is_new) return true;
    return false;
}

/// True once per round for an entry that is wanted and due.
bool take_turn(Demand& demand, TimestampTz now, int& milliseconds) noexcept {
    if (!demand.is_wanted || demand.round == shared_state()->round) return false;
    if (demand.due > now) {
        const auto left = static_cast<int>((demand.due - now) / 1000) + 1;
        milliseconds = Min(milliseconds, left);
        return false;
    }
    return true;
}

std::uint64_t role_served(Oid role) noexcept {
    std::uint64_t served = 0;
    for (const Queue& each : shared_state()->queues) {
        if (!OidIsValid(each.database)) break;
        if (each.role == role) served = Max(served, each.served);
    }
    return served;
}

/// Whether the first queue comes before the second.
bool is_before(const Queue& left, const Queue& right) noexcept {
    if (left.role == right.role) return left.served < right.served;
    const int left_workers = count_workers(left.role);
    const int right_workers = count_workers(right.role);
    if (left_workers != right_workers) return left_workers < right_workers;
    return role_served(left.role) < role_served(right.role);
}

/// Asks an idle worker to end. With `is_capped`, one of the same role; never one of this queue.
void ask_for_room(const Assignment& wanted, bool is_capped) noexcept {
    Slot* best = nullptr;
    for (Slot& slot : shared_state()->slots) {
        if (slot.state != SlotState::kWaiting) continue;
        if (slot.must_yield) return;  // a worker is ending already
        if (slot.is_woken || (is_capped && slot.role != wanted.role)) continue;
        if (slot.database == wanted.database && slot.role == wanted.role) continue;
        best = &slot;
    }
    if (best == nullptr) return;
    best->must_yield = true;
    SetLatch(best->latch);
}

Demand* demand_of(const Assignment& wanted) noexcept {
    if (OidIsValid(wanted.role)) {
        Queue* queue = find_queue(wanted.database, wanted.role, false);
        return queue == nullptr ? nullptr : &queue->demand;
    }
    Database* database = find_database(wanted.database, false);
    return database == nullptr ? nullptr : &database->maintenance;
}

/// Whether it is fair that the slot's worker makes room for a blocked queue.
bool may_claim(const Queue& queue, const Slot& slot) noexcept {
    const bool is_own = queue.database == slot.database && queue.role == slot.role;
    if (!queue.demand.is_blocked || is_own) return false;
    const int own_workers = count_workers(slot.role);
    if (queue.role == slot.role) {
        const int of_queue = count_workers(queue.database, queue.role);
        return of_queue == 0 || count_workers(slot.database, slot.role) > of_queue + 1;
    }
    if (is_capped(queue)) return false;
    const int of_role = count_workers(queue.role);
    return of_role == 0 || own_workers > of_role + 1;
}

}  // namespace

int count_workers(Oid role) noexcept {
    int count = 0;
    for (const Slot& slot : shared_state()->slots)
        count += slot.state != SlotState::kFree && slot.role == role ? 1 : 0;
    return count;
}

int count_workers(Oid database, Oid role) noexcept {
    int count = 0;
    for (const Slot& slot : shared_state()->slots)
        count += slot.state != SlotState::kFree && slot.role == role && slot.database == database;
    return count;
}

int count_claims(const Slot& slot) noexcept {
    int claims = 0;
    for (const Database& each : shared_state()->databases)
        claims += OidIsValid(each.oid) && each.maintenance.is_wanted && each.maintenance.is_blocked
                      ? 1
                      : 0;
    for (const Queue& each : shared_state()->queues) {
        if (!OidIsValid(each.database)) break;
        claims += may_claim(each, slot) ? 1 : 0;
    }
    return claims;
}

void attach_launcher() noexcept {
    before_shmem_exit(release_launcher, 0);
    const Locked lock;
    shared_state()->launcher = MyLatch;
    shared_state()->wants_scan = true;
    // The slot of an earlier launcher, which cannot manage it any more: a worker that starts now
    // finds its slot gone, or taken, and ends.
    for (Slot& slot : shared_state()->slots)
        if (slot.state == SlotState::kStarting) slot = Slot{};
}

bool take_scan_request() noexcept {
    const Locked lock;
    const bool wants_scan = shared_state()->wants_scan;
    shared_state()->wants_scan = false;
    return wants_scan;
}

void begin_round() noexcept {
    const Locked lock;
    ++shared_state()->round;
}

bool next_wanted(Assignment& wanted, int& milliseconds) noexcept {
    const Locked lock;
    SharedState& state = *shared_state();
    const TimestampTz now = GetCurrentTimestamp();
    for (Database& each : state.databases) {
        if (!OidIsValid(each.oid) || !take_turn(each.maintenance, now, milliseconds)) continue;
        if (count_workers(each.oid, InvalidOid) > 0) continue;  // its end wakes the launcher
        each.maintenance.round = state.round;
        wanted = {each.oid, InvalidOid};
        return true;
    }
    Queue* best = nullptr;
    for (Queue& each : state.queues) {
        if (!OidIsValid(each.database)) break;
        if (!take_turn(each.demand, now, milliseconds)) continue;
        if (best == nullptr || is_before(each, *best)) best = &each;
    }
    if (best == nullptr) return false;
    best->demand.round = state.round;
    wanted = {best->database, best->role};
    return true;
}

int take_slot(const Assignment& wanted, int most) noexcept {
    const Locked lock;
    SharedState& state = *shared_state();
    Demand* demand = demand_of(wanted);
    if (demand == nullptr) return -1;
    Queue* queue =
        OidIsValid(wanted.role) ? find_queue(wanted.database, wanted.role, false) : nullptr;
    if (queue != nullptr && is_being_asked(*queue)) return -1;  // then the launcher is woken
    int taken = 0;
    int free_slot = -1;
    for (int i = 0; i < pg::kMostJobs; ++i) {
        if (state.slots[i].state == SlotState::kFree)
            free_slot = i;
        else
            ++taken;
    }
    const bool is_over = queue != nullptr && is_capped(*queue);
    if (is_over || free_slot < 0 || taken >= most) {
        demand->is_blocked = true;
        ask_for_room(wanted, is_over);
        return -1;
    }
    demand->is_wanted = false;
    demand->is_blocked = false;
    Slot& slot = state.slots[free_slot];
    slot = Slot{};
    slot.state = SlotState::kStarting;
    slot.database = wanted.database;
    slot.role = wanted.role;
    slot.is_new = queue != nullptr;
    return free_slot;
}

void postpone(const Assignment& wanted) noexcept {
    constexpr int kMilliseconds = 5000;
    const Locked lock;
    Demand* demand = demand_of(wanted);
    if (demand != nullptr)
        demand->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kMilliseconds);
}

void limit_workers(int most) noexcept {
    const Locked lock;
    int left = 0;
    for (const Slot& slot : shared_state()->slots)
        left += slot.state != SlotState::kFree && !slot.must_yield ? 1 : 0;
    for (const bool only_waiting : {true, false}) {
        for (Slot& slot : shared_state()->slots) {
            if (left <= most) return;
            if (slot.state == SlotState::kFree || slot.must_yield) continue;
            if (only_waiting && slot.state != SlotState::kWaiting) continue;
            slot.must_yield = true;
            --left;
            if (slot.state == SlotState::kWaiting) SetLatch(slot.latch);
        }
    }
}

void free_slot(int slot) noexcept {
    const Locked lock;
    Slot& given = shared_state()->slots[slot];
    if (given.state != SlotState::kStarting) return;
    Demand* demand = demand_of({given.database, given.role});
    if (demand != nullptr) set_wanted(*demand);
    given = Slot{};
}

}  // namespace epe::jobs
