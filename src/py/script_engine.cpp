// The engine that runs scripts in this process's embedded interpreter.
#include "py/script_engine.h"

#include <new>
#include <optional>
#include <string>
#include <utility>

#include "py/activation_internal.h"
#include "py/arguments_internal.h"
#include "py/batch_iterator_internal.h"
#include "py/error_internal.h"
#include "py/input_builder_internal.h"
#include "py/interpreter_internal.h"
#include "py/result_reader_internal.h"
#include "py/script_cache_internal.h"

namespace epe::py {

namespace {

/// Where a call stands, for the first line of an error's context.
std::string place_of(const CallPlan& plan, const Call* call) {
    std::string place = "script \"" + plan.script->owner + "." + plan.script->name + "\"";
    if (call == nullptr) return place;
    switch (plan.function) {
        case EvalFunction::kRow:
            return place + ", chunk " + std::to_string(call->number) + " (rows " +
                   std::to_string(call->input_row + 1) + " to " +
                   std::to_string(call->input_row + call->row_count) + ")";
        case EvalFunction::kGroup:
            return place + ", group \"" + call->name.value_or("") + "\"";
        case EvalFunction::kIndex:
            return place + ", index " + std::to_string(call->number);
        default:
            return place;
    }
}

class ScriptEngine final : public Engine {
   public:
    ScriptEngine(Host& host, const InterruptFlags& flags)
        : host_(host), output_(host), link_{&host, flags, &output_} {}

    void begin(const CallPlan& plan) override;
    void run(Work work, ResultSink& sink) override;
    void finish(ResultSink& sink) override;

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

    Host& host_;
    Output output_;
    RequestLink link_;
    const CallPlan* plan_ = nullptr;
    Ref function_{};
    std::optional<Arguments> arguments_{};
    std::optional<InputBuilder> inputs_{};
    std::optional<ResultFormat> format_{};
    std::optional<BatchIterator> stream_{};
};

/// Runs a piece of Python. What fails becomes an Error with its place; afterwards a kept
/// exception of PostgreSQL or a pending interrupt has its turn.
template <typename Body>
void ScriptEngine::python_step(Activation& active, const Call* call, Body&& body) {
    struct Return {
        ~Return() { Activation::end_forked_child(); }
    };
    try {
        const Return from_python;
        std::forward<Body>(body)();
    } catch (const ScriptError&) {
        if (active.is_doomed()) {  // whatever the script raised, PostgreSQL's error is the one
            PyErr_Clear();
            fail(active, Error(sqlstate::kQueryCanceled, "the statement has failed"));
        }
        fail(active, take_error(place_of(*plan_, call)));
    } catch (const std::bad_alloc&) {
        fail(active, Error(sqlstate::kOutOfMemory, "out of memory"));
    } catch (Error& error) {  // a result that does not fit
        if (error.report().context.empty()) error.report().context = place_of(*plan_, call);
        fail(active, std::move(error));
    }
    active.settle();
}

/// Runs code of PostgreSQL. When it throws, generators that die on the way may not call it again.
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
    if (!plan.script->is_trusted)
        throw Error(sqlstate::kInsufficientPrivilege,
                    "script \"" + plan.script->owner + "." + plan.script->name +
                        "\" may not run in the server's process",
                    "Only scripts of superusers and members of pyqadmin run there; sandboxed "
                    "engines for everybody else's are not available yet.");
    for (const std::string& name : plan.controls.unknown)
        host_.warning("control argument \"" + name + "\" is unknown and ignored");
    require_interpreter();
    plan_ = &plan;
    arguments_.emplace(plan.arguments_json);
    inputs_.emplace(plan.controls);
    format_.emplace(plan.controls, *plan.shape);
    try {
        forget_shown_warnings();
        function_ = find_loaded_script(*plan.script);
    } catch (const ScriptError&) {
        throw take_error(place_of(plan, nullptr));
    }
    if (function_) return;
    Activation active(link_);
    // Else a script that does not load would close the outer one's figures.
    std::optional<OwnFigures> figures;
    python_step(active, nullptr, [&] {
        figures.emplace(active.is_nested());
        function_ = load_script(*plan.script);
    });
}

void ScriptEngine::run(Work work, ResultSink& sink) {
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
    return Ref::steal(PyObject_VectorcallDict(
        function_.get(), vector + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, arguments_->next()));
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

void ScriptEngine::finish(ResultSink&) { output_.end_request(); }

}  // namespace

std::unique_ptr<Engine> make_script_engine(Host& host, const InterruptFlags& flags) {
    return std::make_unique<ScriptEngine>(host, flags);
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
