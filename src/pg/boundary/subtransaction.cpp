// Internal subtransactions.
#include "pg/boundary/subtransaction.h"

extern "C" {
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
}

namespace epe::pg {

Subtransaction::Subtransaction()
    : context_(CurrentMemoryContext), resource_owner_(CurrentResourceOwner) {
    guarded([this]() noexcept {
        BeginInternalSubTransaction(nullptr);
        MemoryContextSwitchTo(static_cast<MemoryContext>(context_));
    });
}

void Subtransaction::restore() noexcept {
    MemoryContextSwitchTo(static_cast<MemoryContext>(context_));
    CurrentResourceOwner = static_cast<ResourceOwner>(resource_owner_);
}

void Subtransaction::commit() {
    guarded([this]() noexcept {
        ReleaseCurrentSubTransaction();
        restore();
    });
}

void Subtransaction::roll_back() {
    guarded([this]() noexcept {
        RollbackAndReleaseCurrentSubTransaction();
        restore();
    });
}

bool ends_statement(const ErrorReport& report) noexcept {
    return report.sqlstate == sqlstate::kQueryCanceled ||
           report.sqlstate.compare(0, 4, "57P0") == 0;
}

}  // namespace epe::pg
