// The boundary between C++ exceptions and PostgreSQL's longjmp: the only PG_TRY of the project.
#include "pg/boundary/boundary.h"

#include <utility>

#include "pg/boundary/error_data_internal.h"

namespace epe::pg {

namespace detail {

void run_guarded(void (*function)(void*), void* data) {
    MemoryContext caller_context = CurrentMemoryContext;
    ErrorData* volatile failure = nullptr;
    PG_TRY();
    { function(data); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller_context);
        failure = CopyErrorData();
        FlushErrorState();
    }
    PG_END_TRY();
    if (failure == nullptr) return;
    ErrorReport report = to_report(*failure);
    FreeErrorData(failure);
    throw PgError(std::move(report));
}

}  // namespace detail

}  // namespace epe::pg
