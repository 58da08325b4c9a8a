// Activations: the requests that currently run Python in this process, innermost first, and the
// failures that end them.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "core/pipeline/ports.h"
#include "py/base/captured_output_internal.h"
#include "py/base/engine_place.h"
#include "py/base/interrupt_internal.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// State of one request for the Python code that runs for it; outlives its activations. A request
/// has an activation for each of its steps; between them, other requests may run.
struct RequestLink {
    Host* host;
    InterruptFlags flags;
    Output* output;
    EnginePlace place = EnginePlace::kBackend;
    /// Whether only pickles of trusted roles may be loaded here (trust.md, "Pickles").
    bool must_trust = true;
    /// The script's own sys.stdout and sys.stderr, if it has replaced them, while a call of it
    /// waits for the next step.
    Ref streams[2]{};
};

/// A failure that ends the request, as one of its activations sees it. At first the Host is open. A
/// C++ exception that Python frames must not see is kept, which closes the Host, until it is
/// thrown; then, as after any other exception that leaves the Host, the Host remains closed.
class HostFailure {
   public:
    /// False if one is kept already.
    bool keep(std::exception_ptr exception) noexcept {
        if (is_kept()) return false;
        kept_ = std::move(exception);
        return true;
    }
    bool is_kept() const noexcept { return kept_ != nullptr; }
    bool closes_host() const noexcept { return is_kept() || is_host_closed_; }
    void close_host() noexcept { is_host_closed_ = true; }
    /// Throws the kept exception.
    [[noreturn]] void rethrow() {
        is_host_closed_ = true;
        std::rethrow_exception(std::exchange(kept_, nullptr));
    }

   private:
    std::exception_ptr kept_{};
    bool is_host_closed_ = false;
};

/// One frame of the stack of activations: an object on the C++ stack while Python may run for a
/// step of a request: directs sys.stdout and sys.stderr to it, makes Python interruptible and keeps
/// the exceptions of its Host. Activations nest when a script's SQL runs another script; the
/// innermost one is current.
///
/// settle() must be called after every call of Python, failed or not.
class Activation {
   public:
    /// `link` must outlive it.
    explicit Activation(RequestLink& link);
    ~Activation();
    Activation(const Activation&) = delete;
    Activation& operator=(const Activation&) = delete;

    /// True when it was started by the SQL of another script.
    bool is_nested() const noexcept { return outer_ != nullptr; }
    /// Keeps a C++ exception until settle(); the first one wins. The script is interrupted
    /// repeatedly until it ends.
    void keep(std::exception_ptr exception) noexcept;
    /// The script must end and may not use the Host: an exception is kept or in flight.
    bool is_doomed() const noexcept { return failure_.closes_host(); }
    /// From now on, the script may not use the Host: an exception is in flight.
    void close_host() noexcept { failure_.close_host(); }

    /// Prepares the end of a step in the middle of a call: what the script has replaced is kept for
    /// the next step.
    void put_aside();
    /// Closes the Host for the rest of an abandoned request. Its finally blocks may run for a short
    /// time; then the script is interrupted repeatedly.
    void begin_abandoning() noexcept;

    /// Identifies the request among those of the process.
    const RequestLink& request() const noexcept { return link_; }
    /// The Host of the request; Python code calls it through current_host().
    Host& host() const noexcept { return *link_.host; }
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

    RequestLink& link_;
    Activation* outer_;
    InterruptGuard guard_;
    HostFailure failure_{};
    Ref stdout_{};
    Ref stderr_{};
    PyObject* handled_[3] = {nullptr, nullptr, nullptr};  // the outer script's `except` state
};

// The stack of this process.

/// The innermost activation; null when no script runs, and in a process that a script has forked.
Activation* current_activation() noexcept;
/// The Host of the innermost activation. Sets a Python exception and throws ScriptError when no
/// script runs, on a foreign thread, and when the activation is doomed.
Host& current_host();
/// True on the thread that runs the current activation: only that thread may use the Host.
bool is_engine_thread() noexcept;
/// To be called after every return from Python. A process that the script has forked ends here,
/// with the exit status of a program: the session belongs to the parent.
void end_forked_child() noexcept;

/// Runs a piece of Python. If the script has forked the process meanwhile, the child ends here,
/// whether the piece has failed or not.
template <typename Body>
void run_python(Body&& body) {
    try {
        std::forward<Body>(body)();
    } catch (...) {
        end_forked_child();
        throw;
    }
    end_forked_child();
}

}  // namespace epe::py
