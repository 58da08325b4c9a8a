// Collects the results of a call as the tuples of a set-returning SQL function.
#include "pg/output/tuplestore_sink.h"

#include "pg/boundary/boundary.h"
#include "pg/output/result_target.h"
#include "pg/output/row_writer_internal.h"

extern "C" {
#include "miscadmin.h"
#include "nodes/execnodes.h"
}

namespace epe::pg {

namespace {

Tuplestorestate* begin_store(ReturnSetInfo* info) noexcept {
    MemoryContext caller = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
    const bool needs_random_access = (info->allowedModes & SFRM_Materialize_Random) != 0;
    Tuplestorestate* store = tuplestore_begin_heap(needs_random_access, false, work_mem);
    MemoryContextSwitchTo(caller);
    return store;
}

}  // namespace

TuplestoreSink::TuplestoreSink(const ResultTarget& target)
    : target_(target), writer_(make_row_writer(target)) {
    ReturnSetInfo* info = target.call_info();
    store_ = guarded([=]() noexcept { return begin_store(info); });
}

void TuplestoreSink::add(CallResult result) {
    if (result.batch.length == 0) return;
    const RowsToWrite rows{&result.batch, result.first_row};
    RowWriter* writer = writer_;
    Tuplestorestate* store = store_;
    guarded([=]() noexcept { write_rows(writer, rows, store); });
}

void TuplestoreSink::close() {
    ReturnSetInfo* info = target_.call_info();
    info->returnMode = SFRM_Materialize;
    info->setResult = store_;
    // Rows were formed with the descriptor that PostgreSQL expects: no comparison is needed.
    info->setDesc = nullptr;
    RowWriter* writer = writer_;
    guarded([=]() noexcept { free_row_writer(writer); });
}

}  // namespace epe::pg
