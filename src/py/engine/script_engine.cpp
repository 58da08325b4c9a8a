// The engine that runs scripts in this process's embedded interpreter.
#include "py/engine/script_engine.h"

#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/pipeline/call_context.h"
#include "py/base/activation_internal.h"
#include "py/base/error_internal.h"
#include "py/engine/arguments_internal.h"
#include "py/engine/interpreter_internal.h"
#include "py/engine/script_cache_internal.h"
#include "py/input/batch_iterator_internal.h"
#include "py/input/input_builder_internal.h"
#include "py/result/figures_internal.h"
#include "py/result/result_reader_internal.h"

namespace epe::py {

namespace {

class ScriptEngine final : public Engine {
   public:
    ScriptEngine(Host& host, const InterruptFlags& flags, EnginePlace place)
        : host_(host), place_(place), output_(host), link_{&host, flags, &output_, place} {}
    ~ScriptEngine() override { abandon(); }
    ScriptEngine(const ScriptEngine&) = delete;
    ScriptEngine& operator=(const ScriptEngine&) = delete;

    void begin(const CallPlan& plan) override;
    void add_calls(Work work) override;
    void end_calls() override { has_all_calls_ = true; }
    EngineStep next(CallResult& result) override;
    void stop() override;
    void report(CallStats& stats) const override { stats.engine.python += python_; }

   private:
    template <typename Body>
    void python_step(Activation& active, const Call* call, Body&& body);
    template <typename Body>
    void host_step(Activation& active, const Call* call, Body&& body);
    [[noreturn]] void fail(Activation& active, Error failure);

    Activation& open_step();
    void close_step() noexcept;
    bool has_calls() const noexcept { return next_call_ < work_.calls.size(); }
    void load_input(Activation& active);
    bool advance_call(Activation& active, CallResult& result);
    void finish_call(Activation& active, const Call& call);
    EngineStep await_calls();
    void close_generator(Activation& active, const Call& call);
    void stop_call();
    void drop_calls() noexcept;
    void drop_failed_calls() noexcept;
    void abandon() noexcept;
    Ref invoke(const Call& call);
    Ref argument_of(const Call& call);

    Host& host_;
    EnginePlace place_;
    Output output_;
    RequestLink link_;
    const CallPlan* plan_ = nullptr;
    Ref function_{};
    std::optional<Arguments> arguments_{};
    std::optional<InputBuilder> inputs_{};
    std::optional<ResultFormat> format_{};
    Work work_{};
    std::size_t next_call_ = 0;  // index in work_; it runs if there is a reader
    bool is_loaded_ = false;     // the rows of work_ have become Python objects
    bool has_all_calls_ = false;
    bool is_over_ = false;
    std::optional<BatchIterator> stream_{};
    std::optional<ResultReader> reader_{};  // of the call that waits for the next step
    OwnFigures figures_{};
    std::optional<Activation> active_{};  // of the current step
    std::int64_t python_ = 0;             // nanoseconds in the script's function
};

/// Runs a piece of Python. A failure becomes an Error with its location; afterwards, a kept
/// exception of PostgreSQL or a pending interrupt is processed.
template <typename Body>
void ScriptEngine::python_step(Activation& active, const Call* call, Body&& body) {
    try {
        run_python(std::forward<Body>(body));
    } catch (const ScriptError&) {
        if (active.is_doomed()) {  // PostgreSQL's error takes precedence over the script's
            PyErr_Clear();
            fail(active, Error(sqlstate::kQueryCanceled, "the statement has failed"));
        }
        fail(active, take_error(place_of(*plan_, call)));
    } catch (const std::bad_alloc&) {
        fail(active, Error(sqlstate::kOutOfMemory, "out of memory"));
    } catch (const std::length_error&) {
        // A size in the value exceeds the maximum of strings and vectors.
        fail(active, Error(sqlstate::kLimitExceeded, "a value of the result is too long"));
    } catch (Error& error) {  // a result that does not fit
        if (error.report().context.empty()) error.report().context = place_of(*plan_, call);
        fail(active, std::move(error));
    }
    active.settle();
}

/// Runs code of PostgreSQL. When it throws, generators that are destroyed meanwhile may not call it
/// again.
template <typename Body>
void ScriptEngine::host_step(Activation& active, const Call* call, Body&& body) {
    try {
        std::forward<Body>(body)();
    } catch (Error& error) {
        active.close_host();
        add_context(error.report(), place_of(*plan_, call));
        throw;
    } catch (...) {
        active.close_host();
        throw;
    }
}

void ScriptEngine::fail(Activation& active, Error failure) {
    try {
        close_figures();
    } catch (const ScriptError&) {
        PyErr_Clear();
    }
    host_step(active, nullptr, [&] {
        output_.end_request();
        active.settle();
    });
    throw failure;
}

void ScriptEngine::begin(const CallPlan& plan) {
    if (place_ == EnginePlace::kBackend && !plan.is_trusted)
        throw Error(sqlstate::kInternal, "script \"" + plan.script->owner + "." +
                                             plan.script->name +
                                             "\" may not run in the server's process");
    require_interpreter();
    plan_ = &plan;
    // Untrusted code gains nothing by unpickling, and inside the sandbox any pickle is safe.
    link_.must_trust = plan.is_trusted && place_ != EnginePlace::kSandbox;
    arguments_.emplace(plan);
    inputs_.emplace(plan.controls);
    format_.emplace(plan.controls, *plan.shape);
    const bool has_source = !plan.script->source.empty();
    try {
        forget_shown_warnings();
        if (has_source) function_ = find_loaded_script(*plan.script);
    } catch (const ScriptError&) {
        throw take_error(place_of(plan, nullptr));
    }
    if (function_ && !arguments_->are_pickled()) return;
    // With its own figures: a script that fails to load would close those of the outer script.
    Activation& active = open_step();
    try {
        python_step(active, nullptr, [&] {
            if (has_source && !function_) function_ = load_script(*plan.script);
            Ref pickled;
            if (arguments_->are_pickled()) pickled = arguments_->load();
            if (!has_source) function_ = std::move(pickled);
            if (!function_)
                throw Error(sqlstate::kInvalidArgument, "the call has neither source nor function");
        });
    } catch (...) {
        close_step();
        throw;
    }
    close_step();
}

/// The activation of the step; takes up what the request has put aside at the end of its last step.
Activation& ScriptEngine::open_step() {
    if (active_) return *active_;
    Activation& active = active_.emplace(link_);
    try {
        python_step(active, nullptr, [&] {
            forget_shown_warnings(&output_);
            figures_.take_up(active.is_nested());
        });
    } catch (...) {
        drop_failed_calls();
        throw;
    }
    return active;
}

void ScriptEngine::close_step() noexcept {
    if (!active_) return;
    figures_.put_aside(/* continues */ reader_.has_value());
    active_.reset();
}

void ScriptEngine::add_calls(Work work) {
    work_ = std::move(work);
    next_call_ = 0;
    is_loaded_ = false;
}

/// A step ends with the first piece of a result: the calls after it may not be wanted.
EngineStep ScriptEngine::next(CallResult& result) {
    if (!has_calls()) return await_calls();
    Activation& active = open_step();
    bool has_result = false;
    try {
        load_input(active);
        while (!has_result && has_calls()) has_result = advance_call(active, result);
        if (!plan_->takes_all && reader_)
            python_step(active, &work_.calls[next_call_], [&] { active.put_aside(); });
    } catch (...) {
        drop_failed_calls();
        throw;
    }
    // With such a consumer, the steps of all calls over a batch share an activation.
    if (!plan_->takes_all || !has_calls()) close_step();
    return has_result ? EngineStep::kResult : await_calls();
}

EngineStep ScriptEngine::await_calls() {
    if (!has_all_calls_) return EngineStep::kNeedsCalls;
    if (!std::exchange(is_over_, true)) output_.end_request();
    return EngineStep::kEnd;
}

void ScriptEngine::load_input(Activation& active) {
    if (std::exchange(is_loaded_, true)) return;
    if (plan_->function == EvalFunction::kEval || plan_->function == EvalFunction::kIndex) return;
    python_step(active, nullptr, [&] {
        if (work_.stream != nullptr)
            stream_.emplace(*work_.stream, *inputs_);
        else
            inputs_->load(std::move(work_.batch), work_.calls.size());
    });
}

/// Begins or continues the current call, and finishes it after its last piece. False when there is
/// no piece.
bool ScriptEngine::advance_call(Activation& active, CallResult& result) {
    const Call& call = work_.calls[next_call_];
    if (!reader_)
        python_step(active, &call, [&] { reader_.emplace(*format_, call, invoke(call)); });
    bool has_piece = false;
    python_step(active, &call, [&] { has_piece = reader_->next(result); });
    if (!has_piece || reader_->is_done()) finish_call(active, call);
    return has_piece;
}

void ScriptEngine::finish_call(Activation& active, const Call& call) {
    python_step(active, &call, [&] {
        reader_.reset();
        stream_.reset();
        close_figures();
    });
    host_step(active, &call, [&] { output_.end_call(); });
    if (++next_call_ == work_.calls.size()) drop_calls();
}

void ScriptEngine::drop_calls() noexcept {
    reader_.reset();
    stream_.reset();
    if (inputs_) inputs_->unload();
    work_ = Work();
    next_call_ = 0;
}

/// Closes the generator of a call that has failed. After a failure of the Host, it may run only for
/// a short time.
void ScriptEngine::drop_failed_calls() noexcept {
    if (active_->is_doomed()) active_->begin_abandoning();
    drop_calls();
    close_step();
}

// ----------------------------------------------------------------------------------- early end

void ScriptEngine::stop() {
    if (plan_ == nullptr || is_over_) return;
    if (reader_) stop_call();
    close_step();
    drop_calls();
    is_over_ = true;
    output_.end_request();
}

void ScriptEngine::stop_call() {
    const Call call = work_.calls[next_call_];
    Activation& active = open_step();
    try {
        close_generator(active, call);
        python_step(active, &call, [&] {
            drop_calls();
            close_figures();
        });
    } catch (...) {
        drop_failed_calls();
        throw;
    }
}

/// A failure of the script becomes a warning, one of PostgreSQL is thrown.
void ScriptEngine::close_generator(Activation& active, const Call& call) {
    std::optional<Error> failure;
    try {
        run_python([&] { reader_->close(); });
    } catch (const ScriptError&) {
        failure.emplace(take_error(place_of(*plan_, &call)));
    }
    active.settle();
    if (!failure) return;
    host_step(active, &call, [&] {
        host_.warning(place_of(*plan_, &call) +
                      " failed while it was closed: " + failure->report().message);
    });
}

/// The Host stays closed, and nothing is thrown.
void ScriptEngine::abandon() noexcept {
    if (!reader_ && !active_) return;
    const PendingException pending;
    const auto attempt = [](auto&& body) {
        try {
            run_python(body);
        } catch (const ScriptError&) {
            PyErr_Clear();
        }
    };
    try {
        const bool is_new = !active_;
        Activation& active = is_new ? active_.emplace(link_) : *active_;
        active.begin_abandoning();
        if (is_new) attempt([&] { figures_.take_up(active.is_nested()); });
        if (reader_) attempt([&] { reader_->close(); });
        drop_calls();
        attempt([] { close_figures(); });
        close_step();
    } catch (const std::exception&) {
        // Python cannot run any more: what is left is destroyed without it.
    }
}

// --------------------------------------------------------------------------------------- calls

Ref ScriptEngine::invoke(const Call& call) {
    const Ref argument = argument_of(call);
    PyObject* const vector[] = {nullptr, argument.get()};
    const std::size_t count = argument ? 1 : 0;
    PyObject* const keywords = arguments_->next();
    const std::int64_t start = now_nanoseconds();
    PyObject* const result = PyObject_VectorcallDict(
        function_.get(), vector + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, keywords);
    python_ += now_nanoseconds() - start;
    return Ref::steal(result);
}

Ref ScriptEngine::argument_of(const Call& call) {
    switch (plan_->function) {
        case EvalFunction::kEval:
            return {};
        case EvalFunction::kIndex:
            return to_python(call.number);
        default:
            if (work_.stream != nullptr) return stream_->object();
            return inputs_->part(call.first_row, call.row_count);
    }
}

}  // namespace

std::unique_ptr<Engine> make_script_engine(Host& host, const InterruptFlags& flags,
                                           EnginePlace place) {
    return std::make_unique<ScriptEngine>(host, flags, place);
}

}  // namespace epe::py
