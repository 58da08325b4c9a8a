// A call of an eval function whose results are pulled by their consumer.
#pragma once

#include "core/error.h"
#include "core/pipeline/call_stats.h"
#include "core/pipeline/ports.h"

namespace epe {

/// Rows of a running call, pulled by an SQL function or a plan node.
///
/// Everything that it allocates from PostgreSQL belongs to the memory context that is current when
/// it starts and in each step: one that lives as long as the object. Between two steps, any other
/// code may run, and the current user and role may differ: every step has those of the start.
///
/// Unless the call has ended or was stopped, the destructor abandons it (Engine): it calls no
/// function of PostgreSQL, and may be called while the transaction is aborted.
class RunningCall {
   public:
    virtual ~RunningCall() = default;
    RunningCall(const RunningCall&) = delete;
    RunningCall& operator=(const RunningCall&) = delete;
    /// Sets the next rows; false at the end. After an exception, only the destructor may be called.
    virtual bool next(CallResult& result) = 0;
    /// Ends the call early, in a sound transaction; no-op after the end. See Engine::stop().
    virtual void stop() = 0;
    /// Adds the call of the last result to the context of an error of the consumer.
    virtual void add_place(ErrorReport& report) const = 0;
    virtual CallStats stats() const = 0;
    /// Whether everything that the results are made from is trusted.
    virtual bool is_trusted() const = 0;

   protected:
    RunningCall() = default;
};

}  // namespace epe
