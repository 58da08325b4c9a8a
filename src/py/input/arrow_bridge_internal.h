// Batches for pyarrow, polars and other Arrow libraries.
//
// The call:  Ref stream = arrow_stream(std::move(batch));
// The object has __arrow_c_stream__(), so pyarrow.table(stream) and polars.DataFrame(stream) accept
// it (pyarrow 14 and later). It owns the batch and exports it once; a second request raises
// ValueError. batch.schema need not outlive the call.
#pragma once

#include "core/batch/batch.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// Throws Error for values and matrices that Arrow cannot represent, see core/arrow/arrow.h.
Ref arrow_stream(Batch&& batch);

/// A copy of another library's object, exported by its __arrow_c_stream__() and checked as
/// described in core/arrow/arrow_import.h, as an object of the same type. Throws ScriptError and
/// Error 22023.
Ref checked_stream(PyObject* exporter);

}  // namespace epe::py
