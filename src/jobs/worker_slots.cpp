// The slots of job workers in shared memory.
#include "jobs/worker_slots.h"

#include <signal.h>

#include <algorithm>
#include <cstring>

#include "jobs/queues_internal.h"
#include "jobs/schedule_internal.h"
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

Assignment own_queue() noexcept { return {own->database, own->role}; }

/// Called with the lock held: clean-up at the end of a worker.
void note_end(bool is_failure) noexcept {
    const bool is_maintenance = !OidIsValid(own->role);
    Queue* queue = is_maintenance ? nullptr : find_queue(own->database, own->role, true);
    Database* database = find_database(own->database, is_failure);
    if (!is_failure) {
        if (queue != nullptr && queue->queued > 0) set_wanted(queue->demand);
        return;
    }
    if (queue != nullptr) set_delayed(queue->demand);
    if (database == nullptr) return;
    if (is_maintenance) {
        set_delayed(database->maintenance);
        return;
    }
    database->maintenance.is_wanted = true;  // for the job that it may have had
    database->maintenance.due = 0;
}

/// At every end of a worker, except in a crash of the server.
void release_slot(int, Datum) noexcept {
    if (own == nullptr) return;
    const Locked lock;
    note_end(!has_left || has_job(*own));
    *own = Slot{};
    own = nullptr;
    wake_launcher();
}

}  // namespace

bool attach_worker(int slot, Assignment& assignment) noexcept {
    if (shared_state() == nullptr || slot < 0 || slot >= pg::kMostJobs) return false;
    before_shmem_exit(release_slot, 0);
    const Locked lock;
    Slot& mine = shared_state()->slots[slot];
    if (mine.state != SlotState::kStarting) return false;
    mine.state = SlotState::kBusy;
    mine.pid = MyProcPid;
    mine.latch = MyLatch;
    own = &mine;
    assignment = own_queue();
    return true;
}

bool must_end(bool is_slice_over) noexcept {
    const Locked lock;
    if (!own->must_yield) {
        if (!is_slice_over) return false;
        int leaving = 0;
        for (const Slot& slot : shared_state()->slots) leaving += slot.is_leaving ? 1 : 0;
        if (count_claims(*own) <= leaving) return false;
    }
    own->is_leaving = true;
    return true;
}

bool is_needed() noexcept {
    const Locked lock;
    if (own->must_yield || count_claims(*own) > 0) return true;
    const Queue* queue = find_queue(own->database, own->role, false);
    return queue != nullptr && queue->queued > 0;
}

bool is_over_cap() noexcept {
    const Locked lock;
    if (own->is_new) {
        own->is_new = false;
        wake_launcher();
    }
    const Queue* queue = find_queue(own->database, own->role, false);
    if (queue == nullptr || !queue->is_cap_known || queue->cap == 0) return false;
    int workers = 0;
    for (const Slot& slot : shared_state()->slots)
        workers += slot.state != SlotState::kFree && slot.role == own->role && !slot.is_leaving;
    if (workers <= queue->cap) return false;
    own->is_leaving = true;
    return true;
}

void begin_claim() noexcept {
    const Locked lock;
    own->has_missed_stop = false;
}

bool has_missed_stop() noexcept {
    const Locked lock;
    return own->has_missed_stop;
}

void begin_job(const JobId& job) noexcept {
    const Locked lock;
    own->stop = Stop::kNo;
    own->progress = Progress{};
    own->progress.fraction = -1;
    own->progress.job = job;
    own->progress.role = own->role;
    Queue* queue = find_queue(own->database, own->role, false);
    if (queue == nullptr) return;
    queue->served = ++shared_state()->clock;
    if (queue->queued == 0 || --queue->queued == 0) return;
    // There are more jobs than for this worker.
    if (queue->demand.is_wanted || wake_worker(own->database, own->role)) return;
    set_wanted(queue->demand);
    wake_launcher();
}

void end_job() noexcept {
    const Locked lock;
    Queue* queue = find_queue(own->database, own->role, false);
    if (queue != nullptr) {
        queue->demand.failures = 0;
        queue->demand.due = 0;
    }
    own->progress = Progress{};
    own->stop = Stop::kNo;
}

Stop requested_stop() noexcept {
    const Locked lock;
    return own->stop;
}

bool begin_waiting() noexcept {
    const Locked lock;
    if (own->must_yield) return false;
    own->state = SlotState::kWaiting;
    own->is_woken = false;
    wake_launcher();  // the launcher may need the slot
    return true;
}

bool end_waiting(bool is_leaving) noexcept {
    const Locked lock;
    own->state = SlotState::kBusy;
    if (own->must_yield) own->is_leaving = true;
    return is_leaving && !own->is_woken;
}

void leave() noexcept {
    has_left = true;
    release_slot(0, 0);
}

// -------------------------------------------------------------------------------- running jobs

bool is_running(const JobId& job) noexcept {
    const Locked lock;
    return std::any_of(std::begin(shared_state()->slots), std::end(shared_state()->slots),
                       [&](const Slot& slot) { return has_job(slot, job); });
}

/// Called with the lock held, so that the signal cannot reach the worker's next job.
void stop_job(const JobId& job) noexcept {
    const Locked lock;
    for (Slot& slot : shared_state()->slots) {
        if (!has_job(slot, job)) {
            slot.has_missed_stop = true;
            continue;
        }
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
        while ((*comment & 0xC0) == 0x80) {  // not within a character
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
