// Cancels what this process does for somebody who has gone meanwhile.
//
// PostgreSQL finds out that a client has gone by a time-out of its own, whose handler sets a flag
// that ProcessInterrupts looks at (client_connection_check_interval). There is no such flag for
// extensions, so ours sets the one of a cancel; who has begun the watch asks the asker again and
// knows what the error means. The handler does nothing but poll and set flags, and starts the
// time-out anew: enable_timeout_every came with PostgreSQL 15.
//
// A watch costs little: since PostgreSQL 14 a timer that is about to ring is not set again, so
// watches that end before it have no system call each.
#include "pg/backend/requester_watch.h"

#include <csignal>

#include "pg/boundary/boundary.h"

extern "C" {
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timeout.h"
}

namespace epe::pg {

namespace {

constexpr int kPeriodMilliseconds = 200;

// What the handler reads is written before `innermost` is.
AskerWatch* volatile innermost = nullptr;
volatile sig_atomic_t has_cancelled = 0;
TimeoutId timer = MAX_TIMEOUTS;  // not registered

}  // namespace

/// The handler of the time-out. A watch that is further out counts too: what is done now is done
/// for its asker as well.
void AskerWatch::look() noexcept {
    for (const AskerWatch* each = innermost; each != nullptr; each = each->outer_) {
        if (!each->asker_->is_gone()) continue;
        has_cancelled = 1;
        QueryCancelPending = 1;
        InterruptPending = 1;
        SetLatch(MyLatch);
        break;
    }
    enable_timeout_after(timer, kPeriodMilliseconds);
}

void AskerWatch::begin(const Asker& asker) {
    asker_ = &asker;
    outer_ = innermost;
    guarded([]() noexcept {
        if (timer == MAX_TIMEOUTS) timer = RegisterTimeout(USER_TIMEOUT, look);
        if (innermost == nullptr) enable_timeout_after(timer, kPeriodMilliseconds);
    });
    innermost = this;
}

void AskerWatch::end() noexcept {
    innermost = outer_;
    if (innermost == nullptr) disable_timeout(timer, /* keep_indicator */ false);
    // The work was done before it noticed. A cancel of a user's that came at the same time goes
    // with it: the statement ends by the death of who has asked.
    if (has_cancelled != 0) QueryCancelPending = 0;
    has_cancelled = 0;
}

}  // namespace epe::pg
