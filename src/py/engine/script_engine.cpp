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
        : place_(place), output_(host), link_{&host, flags, &output_, place} {}

    void begin(const CallPlan& plan) override;
    void run_calls(Work work, ResultSink& sink) override;
    void finish_request(ResultSink& sink) override;
    void report(CallStats& stats) const override { stats.engine.python += python_; }

   private:
    template <typename Body>
    void python_step(Activation& active, const Call* call, Body&& body);
    template <typename Body>
    void host_step(Activation& active, const Call* call, Body&& body);
    [[noreturn]] void fail(Activation& active, Error failure);

    void load_input(Activation& active, Work& work);
    void run_call(Activation& active, Work& work, const Call& call, ResultSink& sink);
    Ref invoke(const Work& work, const Call& call);
    Ref argument_of(const Work& work, const Call& call);

    EnginePlace place_;
    Output output_;
    RequestLink link_;
    const CallPlan* plan_ = nullptr;
    Ref function_{};
    std::optional<Arguments> arguments_{};
    std::optional<InputBuilder> inputs_{};
    std::optional<ResultFormat> format_{};
    std::optional<BatchIterator> stream_{};
    std::int64_t python_ = 0;  // nanoseconds in the script's function
};

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
        std::string& context = error.report().context;
        context += (context.empty() ? "" : "\n") + place_of(*plan_, call);
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
    Activation active(link_);
    // Otherwise a script that fails to load would close the outer script's figures.
    std::optional<OwnFigures> figures;
    python_step(active, nullptr, [&] {
        figures.emplace(active.is_nested());
        if (has_source && !function_) function_ = load_script(*plan.script);
        Ref pickled;
        if (arguments_->are_pickled()) pickled = arguments_->load();
        if (!has_source) function_ = std::move(pickled);
        if (!function_)
            throw Error(sqlstate::kInvalidArgument, "the call has neither source nor function");
    });
}

void ScriptEngine::run_calls(Work work, ResultSink& sink) {
    Activation active(link_);
    std::optional<OwnFigures> figures;
    python_step(active, nullptr, [&] { figures.emplace(active.is_nested()); });
    load_input(active, work);
    for (const Call& each : work.calls) run_call(active, work, each, sink);
    inputs_->unload();
}

void ScriptEngine::load_input(Activation& active, Work& work) {
    if (plan_->function == EvalFunction::kEval || plan_->function == EvalFunction::kIndex) return;
    python_step(active, nullptr, [&] {
        if (work.stream != nullptr)
            stream_.emplace(*work.stream, *inputs_);
        else
            inputs_->load(std::move(work.batch), work.calls.size());
    });
}

void ScriptEngine::run_call(Activation& active, Work& work, const Call& call, ResultSink& sink) {
    std::optional<ResultReader> reader;
    python_step(active, &call, [&] { reader.emplace(*format_, call, invoke(work, call)); });
    CallResult piece;
    bool has_piece = true;
    while (true) {
        python_step(active, &call, [&] { has_piece = reader->next(piece); });
        if (!has_piece) break;
        host_step(active, &call, [&] { sink.add(std::move(piece)); });
    }
    python_step(active, &call, [&] {
        reader.reset();
        stream_.reset();
        close_figures();
    });
    host_step(active, &call, [&] { output_.end_call(); });
}

Ref ScriptEngine::invoke(const Work& work, const Call& call) {
    const Ref argument = argument_of(work, call);
    PyObject* const vector[] = {nullptr, argument.get()};
    const std::size_t count = argument ? 1 : 0;
    PyObject* const keywords = arguments_->next();
    const std::int64_t start = now_nanoseconds();
    PyObject* const result = PyObject_VectorcallDict(
        function_.get(), vector + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, keywords);
    python_ += now_nanoseconds() - start;
    return Ref::steal(result);
}

Ref ScriptEngine::argument_of(const Work& work, const Call& call) {
    switch (plan_->function) {
        case EvalFunction::kEval:
            return {};
        case EvalFunction::kIndex:
            return to_python(call.number);
        default:
            if (work.stream != nullptr) return stream_->object();
            return inputs_->part(call.first_row, call.row_count);
    }
}

void ScriptEngine::finish_request(ResultSink&) { output_.end_request(); }

}  // namespace

std::unique_ptr<Engine> make_script_engine(Host& host, const InterruptFlags& flags,
                                           EnginePlace place) {
    return std::make_unique<ScriptEngine>(host, flags, place);
}

void check_script(const std::string& name, const std::string& source, Host& host,
                  const InterruptFlags& flags) {
    require_interpreter();
    Output output(host);
    Activation active({&host, flags, &output});
    try {
        check_source(name, source);
    } catch (const ScriptError&) {
        Error failure = take_error({});
        active.settle();
        throw failure;
    }
    active.settle();
}

}  // namespace epe::py
