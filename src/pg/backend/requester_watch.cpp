// Cancels work of this process for a requester that has disconnected.
//
// PostgreSQL detects a client's disconnection by a timeout, whose handler sets a flag that
// ProcessInterrupts checks (client_connection_check_interval). There is no such flag for
// extensions, so this handler sets the flag of a cancel; the caller that began the watch then
// checks the requester itself and so knows the meaning of the error. The handler only polls, sets
// flags and restarts the timeout: enable_timeout_every was introduced in PostgreSQL 15.
//
// A watch is cheap: since PostgreSQL 14, a timer that is about to fire is not set again, so that
// watches that end before it need no system call each.
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

// Data for the handler is written before `innermost`.
RequesterWatch* volatile innermost = nullptr;
volatile sig_atomic_t has_cancelled = 0;
TimeoutId timer = MAX_TIMEOUTS;  // not registered

}  // namespace

/// The handler of the timeout. Enclosing watches count too: the current work is done for their
/// requesters as well.
void RequesterWatch::look() noexcept {
    for (const RequesterWatch* each = innermost; each != nullptr; each = each->outer_) {
        if (!each->requester_->is_gone()) continue;
        has_cancelled = 1;
        QueryCancelPending = 1;
        InterruptPending = 1;
        SetLatch(MyLatch);
        break;
    }
    enable_timeout_after(timer, kPeriodMilliseconds);
}

void RequesterWatch::begin(const Requester& requester) {
    requester_ = &requester;
    outer_ = innermost;
    guarded([]() noexcept {
        if (timer == MAX_TIMEOUTS) timer = RegisterTimeout(USER_TIMEOUT, look);
        if (innermost == nullptr) enable_timeout_after(timer, kPeriodMilliseconds);
    });
    innermost = this;
}

void RequesterWatch::end() noexcept {
    innermost = outer_;
    if (innermost == nullptr) disable_timeout(timer, /* keep_indicator */ false);
    // The work was done before the watch fired. A user's cancel that arrived at the same time is
    // dropped too: the statement ends because its requester is gone.
    if (has_cancelled != 0) QueryCancelPending = 0;
    has_cancelled = 0;
}

}  // namespace epe::pg
