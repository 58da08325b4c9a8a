// The layout of the shared memory.
#pragma once

extern "C" {
#include "postgres.h"

#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
}

#include "jobs/shared_state.h"
#include "pg/settings.h"

namespace epe::jobs {

enum class SlotState : std::uint8_t { kFree, kStarting, kBusy, kWaiting };

struct Slot {
    SlotState state;
    Oid database;
    int pid;
    Latch* latch;
    bool is_woken;  // out of kWaiting
    bool must_yield;
    Stop stop;
    Progress progress;  // progress.job is empty without a job
};

struct Database {
    Oid oid;  // InvalidOid: free
    bool wants_worker;
    bool has_extension;
    std::int64_t queued;  // about
    std::uint64_t version;
    int failures;  // of workers, one after the other
    TimestampTz failed_at;
};

inline constexpr int kMostDatabases = 512;

struct SharedState {
    LWLock* lock;
    Latch* launcher;
    bool wants_scan;
    int last_database;  // that was given a worker
    ConditionVariable changed;
    Slot slots[pg::kMostJobs];
    Database databases[kMostDatabases];
};

/// Null without shared_preload_libraries.
SharedState* shared_state() noexcept;

class Locked {
   public:
    Locked() noexcept { LWLockAcquire(shared_state()->lock, LW_EXCLUSIVE); }
    ~Locked() { LWLockRelease(shared_state()->lock); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;
};

/// With the lock held. Null when there is no room for one more; then everything wants a look.
Database* find_database(Oid oid, bool may_add) noexcept;
/// With the lock held.
void wake_launcher() noexcept;

}  // namespace epe::jobs
