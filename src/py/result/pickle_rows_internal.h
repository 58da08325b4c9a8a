// Results as pickles: for package oml, and for jobs, which store them.
#pragma once

#include <cstdint>

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// The pickle of a result and its figures, a list of bytes-like pieces: for package oml, or to be
/// stored with a job.
Ref dumped_pickle(const Ref& result, const Ref& figures);
Ref stored_pickle(const Ref& result, const Ref& figures);

/// The row of one piece, counted from 1. `columns` outlives the batch.
Batch pickle_row(PyObject* piece, std::int64_t number, const Call& call, const Schema& columns);

}  // namespace epe::py
