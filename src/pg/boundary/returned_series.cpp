// Set-returning functions that return one bytea per call while the query reads them.
#include "pg/boundary/returned_series.h"

#include "core/error.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/function_call.h"

extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
}

namespace epe::pg {

namespace {

/// Owns a series for the memory context of its call; plain data.
struct HeldSeries {
    MemoryContextCallback callback;
    ByteSeries* series;
    bool is_open;
};

/// The memory context is deleted, perhaps after an error.
void delete_series(void* argument) noexcept {
    auto* held = static_cast<HeldSeries*>(argument);
    const std::unique_ptr<ByteSeries> series(held->series);
    held->series = nullptr;
}

bool try_close(HeldSeries* held) noexcept {
    if (!held->is_open) return true;
    held->is_open = false;
    try {
        held->series->close();
        return true;
    } catch (...) {
        return false;
    }
}

/// The query ends without an error, perhaps before the last value.
void end_early(Datum argument) noexcept {
    if (!try_close(reinterpret_cast<HeldSeries*>(DatumGetPointer(argument))))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("a query could not be closed")));
}

FuncCallContext* begin(FunctionCallInfo fcinfo) noexcept {
    FuncCallContext* context = SRF_FIRSTCALL_INIT();
    MemoryContext caller = MemoryContextSwitchTo(context->multi_call_memory_ctx);
    auto* held = static_cast<HeldSeries*>(palloc0(sizeof(HeldSeries)));
    held->callback.func = delete_series;
    held->callback.arg = held;
    MemoryContextRegisterResetCallback(context->multi_call_memory_ctx, &held->callback);
    context->user_fctx = held;
    auto* info = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    // Called before the one of SRF_FIRSTCALL_INIT, which deletes the memory context.
    RegisterExprContextCallback(info->econtext, end_early, PointerGetDatum(held));
    MemoryContextSwitchTo(caller);
    return context;
}

void end(FunctionCallInfo fcinfo, FuncCallContext* context) noexcept {
    auto* info = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    UnregisterExprContextCallback(info->econtext, end_early, PointerGetDatum(context->user_fctx));
    end_MultiFuncCall(fcinfo, context);
    info->isDone = ExprEndResult;
    fcinfo->isnull = true;
}

void* new_value(std::size_t size) noexcept {
    if (size > MaxAllocSize - VARHDRSZ)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a batch of %zu bytes is too long for a bytea", size)));
    void* value = palloc(size + VARHDRSZ);
    SET_VARSIZE(value, size + VARHDRSZ);
    return value;
}

}  // namespace

void return_series(FunctionCall& call, std::unique_ptr<ByteSeries> (*make)(const FunctionCall&)) {
    FunctionCallInfo fcinfo = call.info();
    const bool is_first = fcinfo->flinfo->fn_extra == nullptr;
    FuncCallContext* context =
        guarded([=]() noexcept { return is_first ? begin(fcinfo) : per_MultiFuncCall(fcinfo); });
    auto* held = static_cast<HeldSeries*>(context->user_fctx);
    MemoryContext caller = MemoryContextSwitchTo(context->multi_call_memory_ctx);
    if (is_first) {
        held->series = make(call).release();
        held->is_open = true;
    }
    const bool has_value = held->series->advance();
    if (!has_value) {
        held->is_open = false;
        held->series->close();
    }
    MemoryContextSwitchTo(caller);
    if (!has_value) {
        guarded([=]() noexcept { end(fcinfo, context); });
        return;
    }
    const std::size_t size = held->series->size();
    void* value = guarded([=]() noexcept { return new_value(size); });
    held->series->write(reinterpret_cast<std::byte*>(VARDATA(value)));
    ++context->call_cntr;
    reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo)->isDone = ExprMultipleResult;
    call.return_pointer(value);
}

}  // namespace epe::pg
