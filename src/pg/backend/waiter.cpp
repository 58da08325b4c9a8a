// Interrupts of a backend: its flags, and waits that process interrupts.
#include "pg/backend/waiter.h"

#include "core/pipeline/call_stats.h"
#include "pg/boundary/boundary.h"

extern "C" {
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

// Of libpq/libpq.h, which wants the headers of GSSAPI where the server was built with it.
bool pq_check_connection(void);
}

namespace epe::pg {

namespace {

/// Interval of the checks whether the client is still connected: the server itself notices only
/// when it sends the result.
constexpr long kClientCheckMilliseconds = 50;

void check_client() noexcept {
    static std::int64_t last_check = 0;
    const std::int64_t now = now_nanoseconds();
    if (now - last_check < kClientCheckMilliseconds * 1'000'000) return;
    last_check = now;
    if (MyProcPort == nullptr || ClientConnectionLost || pq_check_connection()) return;
    ClientConnectionLost = 1;
    InterruptPending = 1;
}

void check() noexcept {
    check_client();
    CHECK_FOR_INTERRUPTS();
}

void wait(int descriptor, std::int64_t milliseconds) noexcept {
    int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT;
    if (descriptor >= 0) events |= WL_SOCKET_READABLE;
    const long limit = milliseconds >= 0 && milliseconds < kClientCheckMilliseconds
                           ? static_cast<long>(milliseconds)
                           : kClientCheckMilliseconds;
    const int happened = WaitLatchOrSocket(
        MyLatch, events, descriptor >= 0 ? descriptor : PGINVALID_SOCKET, limit, PG_WAIT_EXTENSION);
    if ((happened & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
    check();
}

class BackendWaiter final : public Waiter {
   public:
    void wait_readable(int descriptor, std::int64_t milliseconds) override {
        guarded([=]() noexcept { wait(descriptor, milliseconds); });
    }
    void check() override {
        guarded([]() noexcept { pg::check(); });
    }
};

}  // namespace

InterruptFlags interrupt_flags() noexcept {
    InterruptFlags flags;
    flags.is_pending = []() noexcept { return InterruptPending != 0; };
    flags.is_cancel = []() noexcept { return QueryCancelPending != 0 || ProcDiePending != 0; };
    flags.is_last = []() noexcept { return ProcDiePending != 0; };
    return flags;
}

std::unique_ptr<Waiter> make_waiter() { return std::make_unique<BackendWaiter>(); }

}  // namespace epe::pg
