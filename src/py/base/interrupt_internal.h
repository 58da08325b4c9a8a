// Makes Python code interruptible by PostgreSQL's signals.
#pragma once

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// While a guard exists, a signal for PostgreSQL interrupts the Python code of this thread: system
/// calls return EINTR and the interpreter runs the Python-level SIGINT handler below, every 50 ms
/// while a PostgreSQL interrupt is pending. Guards nest; all are cheap.
class InterruptGuard {
   public:
    explicit InterruptGuard(const InterruptFlags& flags);
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// Creates the timer that interrupts scripts, before the sandbox forbids it. To be called by the
/// thread that will run scripts, after the fork. Throws Error (53000).
void prepare_interrupts();

/// True on the thread of the outermost guard.
bool is_guarded_thread() noexcept;

/// True in a process that a script has forked: PostgreSQL may not be used there.
bool is_forked_child() noexcept;

/// From now on, until `false` is set or the outermost guard ends, the script is interrupted
/// repeatedly: an exception waits for its end.
void set_doomed(bool is_doomed) noexcept;

/// For the clean-up of an abandoned request: until end_grace(), the script is not interrupted for a
/// short time, unless the statement is cancelled, and then as by set_doomed(true).
void start_grace() noexcept;
void end_grace() noexcept;

/// Throws ScriptError, with the exception that ends the script set, when the statement must end.
/// Runs no Python code. For loops of C++ and between pieces of long work.
void check_cancel();

/// The Python-level handler of SIGINT: raises Cancelled, HostError, or lets the Host process the
/// pending interrupt.
PyObject* on_python_signal(PyObject* module, PyObject* arguments) noexcept;

}  // namespace epe::py
