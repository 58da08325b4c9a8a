// Signal handlers and a timer that interrupt Python code wherever it blocks.
//
// Python checks for signals between bytecodes and when a system call returns EINTR. PostgreSQL's
// own handlers only set flags and restart system calls, so they interrupt neither a loop nor a
// sleep. The handlers here are installed before them, at the first script of the process: they call
// PostgreSQL's handler and, when a script runs and an interrupt is pending, trip Python's SIGINT,
// whose Python-level handler raises. A timer on a private signal, the only one that does not
// restart system calls, repeats that: soon, for a system call that the first signal has restarted,
// then every 50 ms, for scripts that swallow the exception. It runs only while an interrupt is
// pending.
//
// The handlers are not removed after a call, because eight sigaction calls cost more than a trivial
// script. With no script running they only call PostgreSQL's. Code that installs handlers of its
// own is detected after long calls and before later ones.
//
// An exception in the middle of an import would leave partially initialized modules for the rest of
// the process: numpy refuses to be loaded again, pandas stays "partially initialized". Removing the
// modules from sys.modules does not help, since C extensions keep their state. So a cancel waits
// for the end of the import, for a limited time, in case the import does not end.
#include "py/base/interrupt_internal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "py/base/activation_internal.h"
#include "py/base/error_internal.h"
#include "py/base/import_state.h"

#ifndef sigev_notify_thread_id  // before glibc 2.38
// NOLINTNEXTLINE(readability-identifier-naming): of glibc
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace epe::py {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGUSR1, SIGALRM};
constexpr std::size_t kSignalCount = sizeof(kSignals) / sizeof(kSignals[0]);
/// Signals whose PostgreSQL handlers end a session, or wake up the parent's.
constexpr int kNotForChildren[] = {SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGQUIT};
constexpr long kFirstTickNanoseconds = 1'000'000;
constexpr long kRepeatNanoseconds = 50'000'000;
/// Time for the finally blocks of an abandoned script.
constexpr long kGraceNanoseconds = 100'000'000;
/// Interval of the verification of handlers.
constexpr std::int64_t kVerifyMilliseconds = 10;
/// The number of interrupts that let a script clean up; after that it is interrupted at every step,
/// so that a loop around `except BaseException` ends.
constexpr int kPatience = 3;
/// Maximum time that imports may delay the end of the statement. scikit-learn takes a second or two
/// on a busy machine.
constexpr std::int64_t kImportMilliseconds = 5000;

// Plain data: handlers read it. Written by the engine's thread only; everything that a handler
// needs is set before depth becomes 1.
struct State {
    volatile sig_atomic_t depth;  // of guards
    std::int64_t verified;        // when the handlers were last verified, in milliseconds
    InterruptFlags flags;
    pthread_t thread;  // that of the outermost guard
    struct sigaction previous[kSignalCount];
    volatile sig_atomic_t is_doomed;    // an exception waits for the script to end
    volatile sig_atomic_t is_in_grace;  // the timer dooms the script
    volatile sig_atomic_t is_ticking;
    bool is_forked_child;
    pid_t process;  // the process that owns these handlers
    timer_t timer;
    bool has_timer;
    int timer_signal;
    int raised;                  // exceptions raised in the script for the pending interrupt
    std::int64_t delayed_since;  // since when it is delayed, in milliseconds; 0: not delayed
};
State state{};

void set_timer(bool on, long first_nanoseconds = kFirstTickNanoseconds) noexcept {
    struct itimerspec spec {};
    if (on) {
        spec.it_value.tv_nsec = first_nanoseconds;
        spec.it_interval.tv_nsec = kRepeatNanoseconds;
    }
    timer_settime(state.timer, 0, &spec, nullptr);
    state.is_ticking = on;
}

void trip_python() noexcept {
#if PY_VERSION_HEX >= 0x030A0000
    PyErr_SetInterruptEx(SIGINT);
#else
    PyErr_SetInterrupt();
#endif
}

/// Interrupts Python if necessary, and arranges for a repetition. Async-signal-safe.
void interrupt_if_pending() noexcept {
    const bool has_reason = state.depth > 0 && (state.is_doomed || state.flags.is_pending());
    if (has_reason) trip_python();
    const bool needs_timer = has_reason || state.is_in_grace;
    if (needs_timer != static_cast<bool>(state.is_ticking)) set_timer(needs_timer);
}

/// True when the signal was delivered to another thread and has been forwarded to the engine's.
/// Also between scripts: PostgreSQL's handlers change data of its own thread without a lock.
bool pass_on(int number) noexcept {
    if (pthread_equal(pthread_self(), state.thread) != 0) return false;
    pthread_kill(state.thread, number);
    return true;
}

void on_tick(int number) noexcept {
    const int saved = errno;
    if (!pass_on(number)) {
        if (state.is_in_grace) {
            state.is_in_grace = 0;
            state.is_doomed = 1;
        }
        interrupt_if_pending();
    }
    errno = saved;
}

void on_signal(int number, siginfo_t* info, void* context) noexcept {
    const int saved = errno;
    if (getpid() != state.process) {  // a child in which forget_session() has not run yet
        signal(number, SIG_DFL);
        raise(number);
    } else if (!pass_on(number)) {
        for (std::size_t i = 0; i < kSignalCount; ++i) {
            if (kSignals[i] != number) continue;
            const struct sigaction& before = state.previous[i];
            if ((before.sa_flags & SA_SIGINFO) != 0)
                before.sa_sigaction(number, info, context);
            else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
                before.sa_handler(number);
        }
        interrupt_if_pending();
    }
    errno = saved;
}

/// Installs on_tick for an unused real-time signal.
void claim_timer_signal() {
    for (int number = SIGRTMIN + 4; number <= SIGRTMAX; ++number) {
        struct sigaction current {};
        if (sigaction(number, nullptr, &current) != 0 || current.sa_handler != SIG_DFL) continue;
        struct sigaction ours {};
        ours.sa_handler = on_tick;
        sigemptyset(&ours.sa_mask);
        sigaction(number, &ours, nullptr);
        state.timer_signal = number;
        return;
    }
    throw Error(sqlstate::kInternal, "no real-time signal is free");
}

/// In the child of a fork. A child that a script has forked shares the parent's session, shared
/// memory and connection: PostgreSQL's handlers must not use them there, and a signal ends it.
void forget_session() noexcept {
    state.has_timer = false;  // timers are not inherited
    if (state.depth == 0) return;
    state.is_forked_child = true;
    for (const int number : kNotForChildren) signal(number, SIG_DFL);
}

void create_timer() {
    if (state.has_timer) return;
    if (state.timer_signal == 0) {
        claim_timer_signal();
        pthread_atfork(nullptr, nullptr, forget_session);
    }
    // To this thread: a signal for the process could be delivered to another one, and the sandbox
    // does not allow forwarding real-time signals.
    struct sigevent event {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_notify_thread_id = static_cast<pid_t>(syscall(SYS_gettid));
    event.sigev_signo = state.timer_signal;
    if (timer_create(CLOCK_MONOTONIC, &event, &state.timer) != 0)
        throw Error(sqlstate::kInsufficientResources,
                    "could not create a timer: " + std::generic_category().message(errno));
    state.has_timer = true;
    state.process = getpid();
}

PyMethodDef python_handler_definition = {"on_signal", on_python_signal, METH_VARARGS, nullptr};

/// PyErr_SetInterruptEx is a no-op unless SIGINT has a Python-level handler. Setting it also
/// installs a C-level handler, which is replaced immediately. Another language may have set one of
/// its own meanwhile. The C functions are used because a script's trace functions cannot observe
/// them.
void install_python_handler() {
    static PyObject* handler = nullptr;
    static PyObject* get_handler = nullptr;
    static PyObject* set_handler = nullptr;
    static PyObject* number = nullptr;
    if (handler == nullptr) {
        const Ref functions = import_module("_signal");
        get_handler = attribute(functions.get(), "getsignal").release();
        set_handler = attribute(functions.get(), "signal").release();
        call(attribute(import_module("_oml_epe_runtime.signals").get(), "install").get());
        number = to_python(std::int64_t{SIGINT}).release();
        handler = Ref::steal(PyCFunction_New(&python_handler_definition, nullptr)).release();
    }
    const Ref current = call(get_handler, Ref::borrow(number));
    if (current.get() == handler) return;
    struct sigaction c_level {};
    sigaction(SIGINT, nullptr, &c_level);
    PyObject* const arguments[] = {number, handler};
    PyObject* const old = PyObject_Vectorcall(set_handler, arguments, 2, nullptr);
    sigaction(SIGINT, &c_level, nullptr);
    Ref::steal(old);
}

std::int64_t now_in_milliseconds() noexcept {
    struct timespec now {};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

/// Whether the end of the statement has to wait for an import. The timer checks again.
bool waits_for_import(const InterruptFlags& flags) noexcept {
    if (flags.is_last() || state.raised > kPatience || !is_importing()) return false;
    const std::int64_t now = now_in_milliseconds();
    if (state.delayed_since == 0) state.delayed_since = now;
    return now - state.delayed_since < kImportMilliseconds;
}

/// Raises the exception that ends the script. Never returns.
[[noreturn]] void raise_in_script(PyObject* type, const char* message) {
    if (++state.raised > kPatience) trip_python();
    PyErr_SetString(type, message);
    throw ScriptError();
}

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_signal;
}

/// Installs these handlers where others are installed. Before a script, the others are
/// PostgreSQL's, or another language's, and are called by these; after it, they are the script's
/// and are dropped.
void stand_before(bool adopts_others) noexcept {
    for (std::size_t i = 0; i < kSignalCount; ++i) {
        struct sigaction current {};
        sigaction(kSignals[i], nullptr, &current);
        if (is_ours(current)) continue;
        if (adopts_others) state.previous[i] = current;
        struct sigaction ours {};
        ours.sa_sigaction = on_signal;
        ours.sa_mask = current.sa_mask;
        ours.sa_flags = SA_SIGINFO | SA_RESTART;
        sigaction(kSignals[i], &ours, nullptr);
    }
    state.verified = now_in_milliseconds();
}

void enter_first(const InterruptFlags& flags) {
    if (!state.has_timer || now_in_milliseconds() - state.verified > kVerifyMilliseconds) {
        create_timer();
        install_python_handler();
        stand_before(/* adopts_others */ true);
    }
    state.flags = flags;
    state.thread = pthread_self();
    state.is_doomed = 0;
    state.is_in_grace = 0;
    state.raised = 0;
    state.delayed_since = 0;
}

void leave_last() noexcept {
    if (state.is_ticking) set_timer(false);
    state.is_doomed = 0;
    if (now_in_milliseconds() - state.verified > kVerifyMilliseconds)
        stand_before(/* adopts_others */ false);
}

}  // namespace

void prepare_interrupts() { create_timer(); }

InterruptGuard::InterruptGuard(const InterruptFlags& flags) {
    if (state.depth == 0) enter_first(flags);
    state.depth = state.depth + 1;
    if (flags.is_pending()) interrupt_if_pending();  // it arrived before the guard
}

InterruptGuard::~InterruptGuard() {
    state.depth = state.depth - 1;
    if (state.depth == 0) leave_last();
}

bool is_forked_child() noexcept { return state.is_forked_child; }

bool is_guarded_thread() noexcept {
    return state.depth > 0 && !state.is_forked_child &&
           pthread_equal(pthread_self(), state.thread) != 0;
}

void set_doomed(bool is_doomed) noexcept {
    state.is_doomed = is_doomed ? 1 : 0;
    interrupt_if_pending();
}

void start_grace() noexcept {
    if (state.is_doomed) return;  // an enclosing script must end
    state.is_in_grace = 1;
    set_timer(true, kGraceNanoseconds);
}

void end_grace() noexcept {
    if (!state.is_in_grace) return;
    state.is_in_grace = 0;
    interrupt_if_pending();
}

void check_cancel() {
    Activation* const active = current_activation();
    if (active == nullptr || !is_guarded_thread()) return;
    const InterruptFlags& flags = active->flags();
    if (active->is_doomed()) {
        PyErr_SetString(exception_types.host_error, "the statement has failed and must end");
        throw ScriptError();
    }
    if (!flags.is_pending() || !flags.is_cancel()) return;
    PyErr_SetString(exception_types.cancelled, "the statement is cancelled");
    throw ScriptError();
}

PyObject* on_python_signal(PyObject*, PyObject*) noexcept {
    return callback([] {
        Activation* const active = current_activation();
        // A leftover trip would be noticed by the next Python code, of any script.
        if (active == nullptr || !is_guarded_thread()) return Ref::none();
        const InterruptFlags& flags = active->flags();
        if (state.is_in_grace && !(flags.is_pending() && flags.is_cancel())) return Ref::none();
        if (active->is_doomed() || (flags.is_pending() && flags.is_cancel())) {
            if (waits_for_import(flags)) return Ref::none();
            if (active->is_doomed())
                raise_in_script(exception_types.host_error,
                                "the statement has failed and must end");
            raise_in_script(exception_types.cancelled, "the statement is cancelled");
        }
        state.raised = 0;
        state.delayed_since = 0;
        if (!flags.is_pending()) return Ref::none();
        current_host().check_interrupts();
        return Ref::none();
    });
}

}  // namespace epe::py
