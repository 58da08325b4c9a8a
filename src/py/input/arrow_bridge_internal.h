// Batches for pyarrow, polars and other Arrow libraries.
//
// The call:  Ref stream = arrow_stream(std::move(batch));
// The object has __arrow_c_stream__(), so pyarrow.table(stream) and polars.DataFrame(stream) take
// it (pyarrow 14 and later). It owns the batch and gives it once; a second request raises
// ValueError. batch.schema need not outlive the call.
#pragma once

#include "core/batch/batch.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// Throws Error for values and matrices that Arrow cannot hold, see core/arrow/arrow.h.
Ref arrow_stream(Batch&& batch);

/// A copy of what another library's object exports by __arrow_c_stream__(), checked as
/// core/arrow/arrow_import.h says, as an object of the same sort. Throws ScriptError and Error
/// 22023.
Ref checked_stream(PyObject* exporter);

}  // namespace epe::py
