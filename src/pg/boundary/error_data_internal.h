// Copies between PostgreSQL's ErrorData and our ErrorReport.
#pragma once

extern "C" {
#include "postgres.h"
}

#include "core/error.h"

namespace epe::pg {

/// All fields of `data`, as C++ values. Throws bad_alloc.
ErrorReport to_report(const ErrorData& data);

/// A palloc'ed copy in the current memory context, or null when memory is exhausted.
ErrorData* to_error_data(const ErrorReport& report) noexcept;

}  // namespace epe::pg
