// What is shared: the slots of the workers.
#include <signal.h>

#include <algorithm>
#include <cstring>

#include "jobs/shared_state_internal.h"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
}

namespace epe::jobs {

namespace {

/// The calling worker's own slot.
Slot* own = nullptr;
bool has_left = false;

bool has_job(const Slot& slot) noexcept { return slot.progress.job.text[0] != '\0'; }

bool has_job(const Slot& slot, const JobId& job) noexcept {
    return slot.state != SlotState::kFree && std::strcmp(slot.progress.job.text, job.text) == 0;
}

/// With the lock held. A worker of the database that has the most of them shall go after its job;
/// one that waits goes now.
void ask_for_room(Oid database) noexcept {
    Slot* best = nullptr;
    int best_share = 0;
    for (Slot& slot : shared_state()->slots) {
        if (slot.state == SlotState::kFree) continue;
        if (slot.must_yield) return;  // room is being made
        if (slot.state == SlotState::kStarting || slot.database == database) continue;
        int share = slot.state == SlotState::kWaiting ? pg::kMostJobs : 0;
        for (const Slot& other : shared_state()->slots)
            share += other.state != SlotState::kFree && other.database == slot.database ? 1 : 0;
        if (share <= best_share) continue;
        best = &slot;
        best_share = share;
    }
    if (best == nullptr) return;
    best->must_yield = true;
    if (best->state == SlotState::kWaiting) SetLatch(best->latch);
}

/// However the worker ends, but by a crash of the server.
void release_slot(int, Datum) noexcept {
    if (own == nullptr) return;
    const Locked lock;
    if (!has_left || has_job(*own)) {
        Database* place = find_database(own->database, true);
        if (place != nullptr) {
            place->wants_worker = true;
            ++place->failures;
            place->failed_at = GetCurrentTimestamp();
        }
    }
    *own = Slot{};
    own = nullptr;
    wake_launcher();
}

void release_launcher(int, Datum) noexcept {
    const Locked lock;
    shared_state()->launcher = nullptr;
}

}  // namespace

// -------------------------------------------------------------------------------- the launcher

void attach_launcher() noexcept {
    before_shmem_exit(release_launcher, 0);
    const Locked lock;
    shared_state()->launcher = MyLatch;
    shared_state()->wants_scan = true;
    // Of an earlier launcher, which cannot look after them any more: a worker that comes up now
    // finds its slot gone, or taken, and ends.
    for (Slot& slot : shared_state()->slots)
        if (slot.state == SlotState::kStarting) slot = Slot{};
}

bool take_scan_wish() noexcept {
    const Locked lock;
    const bool wants_scan = shared_state()->wants_scan;
    shared_state()->wants_scan = false;
    return wants_scan;
}

std::uint32_t next_wanted(bool& is_delayed) noexcept {
    constexpr int kMostSeconds = 10;
    const Locked lock;
    SharedState& state = *shared_state();
    for (int i = 1; i <= kMostDatabases; ++i) {
        const int index = (state.last_database + i) % kMostDatabases;
        const Database& each = state.databases[index];
        if (!OidIsValid(each.oid) || !each.wants_worker) continue;
        const int delay = Min(Max(each.failures - 1, 0), kMostSeconds) * 1000;
        if (delay > 0 &&
            !TimestampDifferenceExceeds(each.failed_at, GetCurrentTimestamp(), delay)) {
            is_delayed = true;
            continue;
        }
        state.last_database = index;
        return state.databases[index].oid;
    }
    return InvalidOid;
}

int take_slot(std::uint32_t database, int most) noexcept {
    const Locked lock;
    int taken = 0;
    int free_slot = -1;
    int own_workers = 0;
    for (int i = 0; i < pg::kMostJobs; ++i) {
        const Slot& slot = shared_state()->slots[i];
        if (slot.state == SlotState::kFree) {
            free_slot = i;
            continue;
        }
        ++taken;
        own_workers += slot.database == database ? 1 : 0;
    }
    if (free_slot < 0 || taken >= most) {
        if (own_workers == 0) ask_for_room(database);
        return -1;
    }
    Slot& slot = shared_state()->slots[free_slot];
    slot = Slot{};
    slot.state = SlotState::kStarting;
    slot.database = database;
    Database* place = find_database(database, false);
    if (place != nullptr) place->wants_worker = false;
    return free_slot;
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

void give_back(int slot) noexcept {
    const Locked lock;
    Slot& given = shared_state()->slots[slot];
    if (given.state != SlotState::kStarting) return;
    Database* place = find_database(given.database, true);
    if (place != nullptr) place->wants_worker = true;
    given = Slot{};
}

// --------------------------------------------------------------------------------- the workers

bool attach_worker(int slot, std::uint32_t& database) noexcept {
    if (shared_state() == nullptr || slot < 0 || slot >= pg::kMostJobs) return false;
    before_shmem_exit(release_slot, 0);
    const Locked lock;
    Slot& mine = shared_state()->slots[slot];
    if (mine.state != SlotState::kStarting) return false;
    mine.state = SlotState::kBusy;
    mine.pid = MyProcPid;
    mine.latch = MyLatch;
    database = mine.database;
    own = &mine;
    return true;
}

void note_extension() noexcept {
    const Locked lock;
    Database* place = find_database(own->database, true);
    if (place != nullptr) place->has_extension = true;
}

bool must_yield() noexcept {
    const Locked lock;
    return own->must_yield;
}

void begin_job(const JobId& job, std::uint32_t role) noexcept {
    const Locked lock;
    own->stop = Stop::kNo;
    own->progress = Progress{};
    own->progress.fraction = -1;
    own->progress.job = job;
    own->progress.role = role;
    Database* place = find_database(own->database, false);
    if (place == nullptr || place->queued == 0) return;
    if (--place->queued == 0) return;
    place->wants_worker = true;  // there is more than this worker can do
    wake_launcher();
}

void end_job() noexcept {
    const Locked lock;
    Database* place = find_database(own->database, false);
    if (place != nullptr) place->failures = 0;
    own->progress = Progress{};
    own->stop = Stop::kNo;
}

Stop stop_wish() noexcept {
    const Locked lock;
    return own->stop;
}

int running_jobs(std::uint32_t database, std::uint32_t role) noexcept {
    const Locked lock;
    int count = 0;
    for (const Slot& slot : shared_state()->slots)
        count += slot.database == database && has_job(slot) && slot.progress.role == role ? 1 : 0;
    return count;
}

bool begin_waiting() noexcept {
    const Locked lock;
    if (own->must_yield) return false;
    own->state = SlotState::kWaiting;
    own->is_woken = false;
    wake_launcher();  // it may want the room
    return true;
}

bool end_waiting(bool is_leaving) noexcept {
    const Locked lock;
    own->state = SlotState::kBusy;
    return is_leaving && !own->is_woken;
}

void leave() noexcept {
    has_left = true;
    if (own != nullptr) {
        const Locked lock;
        Database* place = find_database(own->database, false);
        if (place != nullptr) place->failures = 0;
    }
    release_slot(0, 0);
}

// -------------------------------------------------------------------------------- running jobs

bool is_running(const JobId& job) noexcept {
    const Locked lock;
    return std::any_of(std::begin(shared_state()->slots), std::end(shared_state()->slots),
                       [&](const Slot& slot) { return has_job(slot, job); });
}

/// With the lock held, so that the signal cannot hit the worker's next job.
void stop_job(const JobId& job) noexcept {
    const Locked lock;
    for (Slot& slot : shared_state()->slots) {
        if (!has_job(slot, job)) continue;
        slot.stop = Stop::kCancelled;
        (void)kill(slot.pid, SIGINT);
    }
}

bool next_running(std::uint32_t database, int& index, JobId& job) noexcept {
    const Locked lock;
    while (index < pg::kMostJobs) {
        const Slot& slot = shared_state()->slots[index++];
        if (slot.database != database || !has_job(slot)) continue;
        job = slot.progress.job;
        return true;
    }
    return false;
}

void note_progress(double fraction, const char* comment) noexcept {
    if (own == nullptr) return;
    const Locked lock;
    Progress& progress = own->progress;
    if (!has_job(*own)) return;
    if (fraction >= 0) progress.fraction = fraction;
    if (comment == nullptr) return;
    std::size_t size = std::strlen(comment);
    constexpr std::size_t kMost = sizeof(progress.comment) - 1;
    if (size > kMost) {
        comment += size - kMost;
        size = kMost;
        while ((*comment & 0xC0) == 0x80) {  // not amid a character
            ++comment;
            --size;
        }
    }
    std::memcpy(progress.comment, comment, size + 1);
}

bool next_progress(int& index, Progress& progress) noexcept {
    if (shared_state() == nullptr) return false;
    const Locked lock;
    while (index < pg::kMostJobs) {
        const Slot& slot = shared_state()->slots[index++];
        if (!has_job(slot)) continue;
        progress = slot.progress;
        return true;
    }
    return false;
}

}  // namespace epe::jobs
