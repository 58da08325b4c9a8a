// Requests in engine processes: start and end.
#include "engine/client/process_engine.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "core/pipeline/call_context.h"
#include "engine/client/process_engine_state.h"
#include "engine/common/parameter_batch.h"

namespace epe::engine {

ProcessEngine::ProcessEngine(EngineOptions options, Host& host, Waiter& waiter)
    : options_(std::move(options)), host_(host), waiter_(waiter),
      session_(EngineSession::current()), poller_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!poller_)
        throw_system_error(sqlstate::kInsufficientResources, "could not wait for an engine");
}

ProcessEngine::~ProcessEngine() { abandon(); }

// ------------------------------------------------------------------------------------ the request

Worker& ProcessEngine::add_worker(const Script& script) {
    std::list<Worker> added(1);
    options_.is_first = workers_.empty();
    EngineProcess& process = session_.acquire(options_, script);
    added.front().process = &process;
    workers_.splice(workers_.end(), added);  // from here on abandon() releases it
    Worker& worker = workers_.back();
    if (!process.has_started() && workers_.size() == 1)
        start_deadline_ = now_nanoseconds() + options_.wait_milliseconds * 1'000'000;
    ++engines_used_;
    return worker;
}

void ProcessEngine::begin(const CallPlan& plan) {
    plan_ = &plan;
    send_begin(add_worker(*plan.script));
}

void ProcessEngine::send_begin(Worker& worker) {
    WireWriter body;
    write_request(body, *plan_, plan_->input);
    body.boolean(!plan_->pickled.empty());
    if (plan_->pickled.empty()) {
        worker.process->channel().put(ToEngine::kBegin, body);
        return;
    }
    // As rows, which go through an arena when they are large.
    HostParameter pickled;
    pickled.bytes = plan_->pickled;
    worker.process->put_rows(ToEngine::kBegin, std::move(body), batch_of_bytes({pickled}), 0, 1);
}

void ProcessEngine::check(const Script& script) {
    Worker& worker = add_worker(script);
    WireWriter body;
    body.text(script.name);
    body.text(script.source);
    worker.process->channel().put(ToEngine::kCheckScript, body);
    worker.has_end = true;
    while (!worker.is_ended) pump(/* may_wait */ true);
    if (worker.failure) throw Error(*worker.failure);
    session_.release(*worker.process, !worker.is_gone);
    workers_.clear();
}

SandboxReport ProcessEngine::probe() {
    Worker& worker = add_worker(Script());
    while (!worker.process->ready) pump(/* may_wait */ true);
    SandboxReport report = worker.process->ready->report;
    session_.release(*worker.process, /* is_clean */ false);  // the engine is not reusable
    workers_.clear();
    return report;
}

void ProcessEngine::run(Work work, ResultSink& sink) {
    sink_ = &sink;
    if (work.stream != nullptr) {
        run_stream(work);
        return;
    }
    std::size_t next = 0;
    while (next < work.calls.size()) {
        Worker* const worker = free_worker();
        if (worker == nullptr) {
            throw_if_all_failed();
            pump(/* may_wait */ true);
            continue;
        }
        const std::size_t count = slice_size(work.calls.size() - next);
        assign(*worker, work, next, count);
        next += count;
    }
    // A single call is sent together with the end of the request.
    const bool is_lone =
        plan_->function == EvalFunction::kEval || plan_->function == EvalFunction::kTable;
    if (!is_lone) pump(/* may_wait */ false);
}

/// A script may fail in every engine before any of them has a slice; no further message follows
/// then.
void ProcessEngine::throw_if_all_failed() const {
    if (!slices_.empty()) return;
    for (const Worker& worker : workers_)
        if (!worker.has_failed) return;
    for (const Worker& worker : workers_)
        if (worker.failure) throw_failure(*worker.failure);
}

/// The engine fetches the batches itself, so wait for it.
void ProcessEngine::run_stream(Work& work) {
    stream_ = work.stream;
    assign(workers_.front(), work, 0, work.calls.size());
    while (!slices_.empty()) pump(/* may_wait */ true);
    stream_ = nullptr;
}

void ProcessEngine::finish(ResultSink& sink) {
    sink_ = &sink;
    end_workers();
    const auto is_over = [&] {
        return slices_.empty() && std::all_of(workers_.begin(), workers_.end(),
                                              [](const Worker& each) { return each.is_ended; });
    };
    while (!is_over()) pump(/* may_wait */ true);
    for (const Worker& worker : workers_)
        if (worker.failure) throw_failure(*worker.failure);
    for (const Worker& worker : workers_) session_.release(*worker.process, !worker.is_gone);
    workers_.clear();
}

void ProcessEngine::end_workers() {
    for (auto each = workers_.begin(); each != workers_.end();) {
        const auto worker = each++;
        // An engine that has not even started is not waited for.
        if (worker != workers_.begin() && worker->process->pid == 0) {
            session_.release(*worker->process, /* is_clean */ false);
            workers_.erase(worker);
            --engines_used_;
            continue;
        }
        worker->process->channel().put(ToEngine::kEnd, WireWriter());
        worker->has_end = true;
    }
}

void ProcessEngine::report(CallStats& stats) const {
    stats.engine.convert += times_.convert;
    stats.engine.python += times_.python;
    stats.wait += wait_;
    stats.engines += static_cast<std::int64_t>(engines_used_);
}

std::unique_ptr<Engine> make_process_engine(EngineOptions options, Host& host, Waiter& waiter) {
    return std::make_unique<ProcessEngine>(std::move(options), host, waiter);
}

void check_script_in_process(const Script& script, const EngineOptions& options, Host& host,
                             Waiter& waiter) {
    ProcessEngine(options, host, waiter).check(script);
}

SandboxReport probe_sandbox(const EngineOptions& options, Host& host, Waiter& waiter) {
    return ProcessEngine(options, host, waiter).probe();
}

}  // namespace epe::engine
