// Activations: the request that currently runs Python, and a C++ exception kept until it ends.
#pragma once

#include <exception>
#include <string>

#include "core/pipeline/ports.h"
#include "py/base/captured_output_internal.h"
#include "py/base/engine_place.h"
#include "py/base/interrupt_internal.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// State of one request for the Python code that runs for it; outlives its activations.
struct RequestLink {
    Host* host;
    InterruptFlags flags;
    Output* output;
    EnginePlace place = EnginePlace::kBackend;
    /// Whether only pickles of trusted roles may be loaded here (trust.md, "Pickles").
    bool must_trust = true;
};

/// An object on the C++ stack while Python may run for a request: directs sys.stdout and sys.stderr
/// to it, makes Python interruptible and keeps the exceptions of its Host. Activations nest when a
/// script's SQL runs another script; the innermost one is current.
///
/// settle() must be called after every call of Python, failed or not.
class Activation {
   public:
    explicit Activation(const RequestLink& link);
    ~Activation();
    Activation(const Activation&) = delete;
    Activation& operator=(const Activation&) = delete;

    /// True when it was started by the SQL of another script.
    bool is_nested() const noexcept { return outer_ != nullptr; }
    /// The innermost activation; null when no script runs, and in a process that a script has
    /// forked.
    static Activation* current() noexcept;
    /// To be called after every return from Python. A process that the script has forked ends here,
    /// with the exit status of a program: the session belongs to the parent.
    static void end_forked_child() noexcept;
    /// True on the thread that runs the current activation: only that thread may use the Host.
    static bool is_engine_thread() noexcept;
    /// The Host of the current activation. Sets a Python exception and throws ScriptError when no
    /// script runs, on a foreign thread, and when a kept exception is in flight.
    static Host& host();

    /// Keeps a C++ exception until settle(); the first one wins. The script is interrupted
    /// repeatedly until it ends.
    void keep(std::exception_ptr exception) noexcept;
    bool is_doomed() const noexcept { return kept_ != nullptr || is_host_closed_; }
    /// From now on, the script may not use the Host: an exception is in flight.
    void close_host() noexcept { is_host_closed_ = true; }

    EnginePlace place() const noexcept { return link_.place; }
    const InterruptFlags& flags() const noexcept { return link_.flags; }
    Output& output() noexcept { return *link_.output; }
    bool must_trust() const noexcept { return link_.must_trust; }

    /// Throws the kept exception, or lets the Host process a pending interrupt, which may throw. No
    /// Python exception may be pending.
    void settle();

   private:
    void redirect_streams();
    void restore_streams() noexcept;

    RequestLink link_;
    Activation* outer_;
    InterruptGuard guard_;
    std::exception_ptr kept_{};
    bool is_host_closed_ = false;
    Ref stdout_{};
    Ref stderr_{};
    PyObject* handled_[3] = {nullptr, nullptr, nullptr};  // the outer script's `except` state
};

}  // namespace epe::py
