// Makes Python code stoppable by PostgreSQL's signals.
#pragma once

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// While a guard lives, a signal of PostgreSQL interrupts the Python code of this thread: system
/// calls return EINTR and the interpreter runs our Python-level SIGINT handler, every 50 ms for
/// as long as PostgreSQL has something pending. Guards nest; all are cheap.
class InterruptGuard {
   public:
    explicit InterruptGuard(const InterruptFlags& flags);
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// True on the thread of the outermost guard.
bool is_guarded_thread() noexcept;

/// True in a process that a script has forked: PostgreSQL may not be used there.
bool is_forked_child() noexcept;

/// From now on, until `false` is set or the outermost guard ends, the script is interrupted again
/// and again: an exception waits for it to end.
void set_doomed(bool is_doomed) noexcept;

/// Throws ScriptError, with the exception that ends the script set, when the statement must end.
/// Runs no Python code. For loops of C++ and between pieces of long work.
void check_cancel();

/// The Python-level handler of SIGINT: raises Cancelled, HostError, or lets the Host handle what
/// is pending.
PyObject* on_python_signal(PyObject* module, PyObject* arguments) noexcept;

}  // namespace epe::py
