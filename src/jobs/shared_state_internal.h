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
#include "jobs/worker_slots.h"
#include "pg/backend/settings.h"

namespace epe::jobs {

enum class SlotState : std::uint8_t { kFree, kStarting, kBusy, kWaiting };

struct Slot {
    SlotState state;
    Oid database;
    Oid role;  // InvalidOid: it maintains the tables
    int pid;
    Latch* latch;
    bool is_new;      // it has not looked up its role's maximum number of workers yet
    bool is_woken;    // out of kWaiting
    bool must_yield;  // before its next job, regardless of the shares
    bool is_leaving;
    bool has_missed_stop;
    Stop stop;
    Progress progress;  // progress.job is empty without a job
};

/// A queue or database that wants a worker, and the failures of its workers.
struct Demand {
    bool is_wanted;
    bool is_blocked;  // no slot was available
    int failures;     // consecutive failures of its workers
    TimestampTz due;  // 0: at once
    std::uint64_t round;
};

struct Queue {
    Oid database;  // InvalidOid: free
    Oid role;
    Demand demand;
    std::int64_t queued;  // about
    std::uint64_t version;
    std::uint64_t served;
    bool is_cap_known;
    int cap;
};

struct Database {
    Oid oid;  // InvalidOid: free
    Demand maintenance;
    bool has_extension;
    bool has_changes;  // changes wait for row locks there
    int late_runs;
};

inline constexpr int kMostDatabases = 512;
inline constexpr int kMostQueues = 2048;

struct SharedState {
    LWLock* lock;
    Latch* launcher;
    bool wants_scan;
    int default_cap;
    std::uint64_t round;
    std::uint64_t clock;
    ConditionVariable changed;
    Slot slots[pg::kMostJobs];
    Database databases[kMostDatabases];
    Queue queues[kMostQueues];
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

}  // namespace epe::jobs
