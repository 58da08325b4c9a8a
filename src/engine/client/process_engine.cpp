#include "engine/client/process_engine.h"

#include <sys/epoll.h>

#include <algorithm>
#include <list>
#include <utility>
#include <vector>

#include "engine/client/engine_dialogue.h"

// check_sizes: one class, the event loop of a request.

namespace epe::engine {

namespace {

/// Time for engines to end an abandoned request; then they are killed. Also the time for the script
/// to reach the end of a piece of its result when a request is stopped; then it is abandoned.
constexpr std::int64_t kGraceNanoseconds = 50'000'000;

class ProcessEngine final : public Engine {
   public:
    ProcessEngine(EngineOptions options, Host& host, Waiter& waiter)
        : options_(std::move(options)), pool_(EnginePool::current()), events_(waiter),
          delivery_(host), scheduler_(options_.most_engines), request_{.options = options_,
                                                                       .host = host,
                                                                       .waiter = waiter,
                                                                       .pool = pool_,
                                                                       .delivery = delivery_,
                                                                       .scheduler = scheduler_} {}
    ~ProcessEngine() override { abandon(); }

    void begin(const CallPlan& plan) override;
    void add_calls(Work work) override;
    void end_calls() override;
    EngineStep next(CallResult& result) override;
    void stop() override;
    void report(CallStats& stats) const override;

    // Alternatives to the functions above:
    void check(const Script& script);
    SandboxReport probe();

   private:
    EngineDialogue& add_engine(const Script& script);
    EngineDialogue* choose_engine();
    std::vector<EngineLoad> loads() const;
    bool has_unsent_calls() const noexcept { return next_call_ < work_.calls.size(); }
    bool is_lone_call() const noexcept;
    void send_slices();
    bool needs_calls();
    bool are_all_ended() const;
    void throw_if_all_failed() const;
    void release_engines();
    void end_unresponsive();
    void process_events(bool may_wait);
    void watch_all();
    std::int64_t wait_limit() const;
    std::int64_t stop_limit(std::int64_t search) const;
    void process_news();
    void drop_refused();
    void notice_exits();
    void abandon() noexcept;

    EngineOptions options_;
    EnginePool& pool_;
    EventWait events_;
    OrderedDelivery delivery_;
    SliceScheduler scheduler_;
    RequestContext request_;
    std::list<EngineDialogue> engines_{};
    WatchedEvents supervisor_events_{};
    std::uint64_t watched_supervisor_ = 0;  // value of connection() of the pool when watched
    std::uint64_t heard_ = 0;               // value of heard() of the pool when last read
    std::int64_t start_deadline_ = 0;       // for the first engine
    std::int64_t stop_deadline_ = 0;        // for all engines to notice a stop; 0: not stopped
    Work work_{};
    std::size_t next_call_ = 0;    // index in work_ of the first call that has not been sent
    bool has_new_slices_ = false;  // slices were sent since the last wait
    bool has_all_calls_ = false;
    std::size_t engines_used_ = 0;
};

// ------------------------------------------------------------------------------------ the request

EngineDialogue& ProcessEngine::add_engine(const Script& script) {
    options_.is_first = engines_.empty();
    EngineConnection& engine = pool_.acquire(options_, script);
    try {
        engines_.emplace_back(request_, engine);  // from here on abandon() releases it
    } catch (...) {
        pool_.release(engine, /* is_clean */ false);
        throw;
    }
    if (!engine.has_started() && engines_.size() == 1)
        start_deadline_ = now_nanoseconds() + options_.wait_milliseconds * 1'000'000;
    ++engines_used_;
    return engines_.back();
}

void ProcessEngine::begin(const CallPlan& plan) {
    request_.plan = &plan;
    add_engine(*plan.script).send_begin();
}

void ProcessEngine::check(const Script& script) {
    EngineDialogue& dialogue = add_engine(script);
    dialogue.send_check(script);
    while (!dialogue.is_ended()) process_events(/* may_wait */ true);
    if (dialogue.failure()) throw Error(*dialogue.failure());
    pool_.release(dialogue.engine(), dialogue.is_reusable());
    engines_.clear();
}

SandboxReport ProcessEngine::probe() {
    EngineConnection& engine = add_engine(Script()).engine();
    while (!engine.ready) process_events(/* may_wait */ true);
    SandboxReport report = engine.ready->report;
    pool_.release(engine, /* is_clean */ false);  // the engine is not reusable
    engines_.clear();
    return report;
}

void ProcessEngine::add_calls(Work work) {
    work_ = std::move(work);
    next_call_ = 0;
    if (work_.stream == nullptr) return;
    // The engine fetches the batches itself, one call after the other.
    request_.stream = work_.stream;
    engines_.front().send_slice(delivery_.append_slice(work_.calls), work_);
    work_ = Work();
}

void ProcessEngine::end_calls() {
    has_all_calls_ = true;
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto engine = each++;
        // An engine that has not even started is not waited for.
        if (engine != engines_.begin() && !engine->load().has_started) {
            pool_.release(engine->engine(), /* is_clean */ false);
            engines_.erase(engine);
            --engines_used_;
            continue;
        }
        engine->send_end();
    }
}

/// Reads from the engines only when no result waits for the consumer: their sockets and arenas
/// limit how far they run ahead.
EngineStep ProcessEngine::next(CallResult& result) {
    while (!delivery_.next(result)) {
        if (engines_.empty()) return EngineStep::kEnd;
        if (has_unsent_calls()) send_slices();
        if (needs_calls()) {
            // A single call is sent together with the end of the request.
            if (is_lone_call() || !std::exchange(has_new_slices_, false))
                return EngineStep::kNeedsCalls;
            process_events(/* may_wait */ false);
        } else if (has_all_calls_ && delivery_.is_empty() && are_all_ended()) {
            for (const EngineDialogue& each : engines_)
                if (each.failure()) throw Error(*each.failure());
            release_engines();
        } else {
            throw_if_all_failed();
            process_events(/* may_wait */ true);
        }
    }
    return EngineStep::kResult;
}

bool ProcessEngine::is_lone_call() const noexcept {
    const EvalFunction function = request_.plan->function;
    return function == EvalFunction::kEval || function == EvalFunction::kTable;
}

/// Sends as many of the calls as engines accept.
void ProcessEngine::send_slices() {
    while (has_unsent_calls()) {
        EngineDialogue* const engine = choose_engine();
        if (engine == nullptr) return;
        const std::size_t count = scheduler_.slice_size(work_.calls.size() - next_call_);
        const auto first = work_.calls.begin() + static_cast<std::ptrdiff_t>(next_call_);
        const auto end = first + static_cast<std::ptrdiff_t>(count);
        engine->send_slice(delivery_.append_slice({first, end}), work_);
        next_call_ += count;
        has_new_slices_ = true;
    }
    work_ = Work();
    next_call_ = 0;
}

bool ProcessEngine::needs_calls() {
    if (delivery_.is_empty()) request_.stream = nullptr;
    return !has_all_calls_ && !has_unsent_calls() && request_.stream == nullptr;
}

std::vector<EngineLoad> ProcessEngine::loads() const {
    std::vector<EngineLoad> loads;
    loads.reserve(engines_.size());
    for (const EngineDialogue& each : engines_) loads.push_back(each.load());
    return loads;
}

/// The engine for the next slice, which may be another one; null when none accepts it.
EngineDialogue* ProcessEngine::choose_engine() {
    if (options_.most_engines > 1 && delivery_.is_full()) return nullptr;  // earlier calls first
    const std::vector<EngineLoad> known = loads();
    if (scheduler_.needs_engine(known)) {
        EngineDialogue& added = add_engine(*request_.plan->script);
        added.send_begin();
        if (added.load().has_started) return &added;  // a warm one
    }
    const std::optional<std::size_t> chosen = scheduler_.choose_engine(known);
    return chosen ? &*std::next(engines_.begin(), static_cast<std::ptrdiff_t>(*chosen)) : nullptr;
}

/// A script may fail in every engine before any of them has a slice; no further message follows
/// then.
void ProcessEngine::throw_if_all_failed() const {
    if (!delivery_.is_empty()) return;
    for (const EngineDialogue& each : engines_)
        if (!each.has_failed()) return;
    for (const EngineDialogue& each : engines_)
        if (each.failure()) throw Error(*each.failure());
}

bool ProcessEngine::are_all_ended() const {
    return std::all_of(engines_.begin(), engines_.end(),
                       [](const EngineDialogue& each) { return each.is_ended(); });
}

void ProcessEngine::release_engines() {
    for (const EngineDialogue& each : engines_) pool_.release(each.engine(), each.is_reusable());
    engines_.clear();
}

void ProcessEngine::report(CallStats& stats) const {
    stats.engine.convert += scheduler_.times().convert;
    stats.engine.python += scheduler_.times().python;
    stats.wait += events_.waited();
    stats.engines += static_cast<std::int64_t>(engines_used_);
}

/// Engines finish the piece of a result that they work on, and close their generators, whose
/// finally blocks may use the Host.
void ProcessEngine::stop() {
    delivery_.clear();
    work_ = Work();
    next_call_ = 0;
    request_.stream = nullptr;
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto dialogue = each++;
        if (dialogue->engine().ready) {
            dialogue->send_stop();
            continue;
        }
        pool_.release(dialogue->engine(), /* is_clean */ false);
        engines_.erase(dialogue);
    }
    stop_deadline_ = now_nanoseconds() + kGraceNanoseconds;
    while (!are_all_ended()) {
        if (now_nanoseconds() >= stop_deadline_) end_unresponsive();
        if (!are_all_ended()) process_events(/* may_wait */ true);
    }
    release_engines();
}

/// Ends the calls of engines that have not noticed the stop.
void ProcessEngine::end_unresponsive() {
    for (EngineDialogue& each : engines_)
        if (!each.has_stopped()) each.cancel();
    const std::int64_t deadline = now_nanoseconds() + kGraceNanoseconds;
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto dialogue = each++;
        if (dialogue->has_stopped()) continue;
        dialogue->drain(deadline);
        if (dialogue->is_ended()) continue;
        pool_.release(dialogue->engine(), /* is_clean */ false);
        engines_.erase(dialogue);
    }
}

/// Ends the running calls: engines that answer in time stay warm, the others are killed.
void ProcessEngine::abandon() noexcept {
    if (engines_.empty()) return;
    try {
        for (EngineDialogue& each : engines_) each.cancel();
        const std::int64_t deadline = now_nanoseconds() + kGraceNanoseconds;
        for (EngineDialogue& each : engines_) each.drain(deadline);
    } catch (const std::exception&) {
        // Out of memory, or a broken engine: those that have not ended are killed.
    }
    for (const EngineDialogue& each : engines_)
        // The Ready message of an engine whose greeting was dropped has not been checked.
        pool_.release(each.engine(), each.is_reusable() && each.engine().ready);
    engines_.clear();
}

// ----------------------------------------------------------------------------------------- events

/// Sends, waits if allowed and nothing has arrived, and processes what has arrived.
void ProcessEngine::process_events(bool may_wait) {
    if (pool_.is_asking())
        (void)pool_.find_supervisor(options_);
    else
        pool_.report_to_next(options_);
    process_news();
    watch_all();
    std::span<const int> ready = events_.ready_descriptors();
    if (ready.empty() && may_wait) {
        events_.wait(wait_limit());
        ready = events_.ready_descriptors();
    }
    for (const int descriptor : ready) {
        if (descriptor == pool_.descriptor()) {
            pool_.receive();
            process_news();
            continue;
        }
        for (EngineDialogue& each : engines_)
            if (each.engine().channel().descriptor() == descriptor) each.receive_messages();
    }
}

/// The supervisor reports whether an engine starts, and how it ends. After one supervisor has ended
/// and another was found, perhaps by a nested call, the new connection is watched; closing the
/// former one has unwatched it.
void ProcessEngine::watch_all() {
    if (pool_.descriptor() >= 0 && watched_supervisor_ != pool_.connection()) {
        supervisor_events_ = {};
        events_.watch(pool_.descriptor(), supervisor_events_, EPOLLIN);
        watched_supervisor_ = pool_.connection();
    }
    for (EngineDialogue& each : engines_) each.watch(events_);
}

/// Milliseconds until the first engine must have started or the next supervisor is searched for; -1
/// for no time limit.
std::int64_t ProcessEngine::wait_limit() const {
    const std::int64_t search = pool_.is_searching() ? kSearchMilliseconds : -1;
    if (stop_deadline_ > 0) return stop_limit(search);
    if (!engines_.front().engine().is_unanswered()) return search;
    const std::int64_t left = (start_deadline_ - now_nanoseconds()) / 1'000'000;
    if (left <= 0) throw Error(pool_.start_timeout(options_));
    return search < 0 ? left : std::min(left, search);
}

/// The same for a request that is stopped: until all engines have noticed it.
std::int64_t ProcessEngine::stop_limit(std::int64_t search) const {
    const bool are_stopped =
        std::all_of(engines_.begin(), engines_.end(),
                    [](const EngineDialogue& each) { return each.has_stopped(); });
    if (are_stopped) return search;
    return std::max<std::int64_t>((stop_deadline_ - now_nanoseconds()) / 1'000'000, 1);
}

/// Processes the messages of the supervisor, also those for an enclosing call.
void ProcessEngine::process_news() {
    if (heard_ == pool_.heard()) return;
    heard_ = pool_.heard();
    drop_refused();
    notice_exits();
}

/// Drops engines that were refused; only the first is mandatory.
void ProcessEngine::drop_refused() {
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto dialogue = each++;
        if (!dialogue->engine().refusal) continue;
        if (dialogue == engines_.begin()) dialogue->throw_refused();
        pool_.release(dialogue->engine(), /* is_clean */ false);
        engines_.erase(dialogue);
        --engines_used_;
        options_.most_engines = static_cast<int>(engines_.size());
        scheduler_.set_most_engines(options_.most_engines);
    }
}

void ProcessEngine::notice_exits() {
    for (EngineDialogue& each : engines_)
        if (each.engine().exit && !each.is_ended()) each.receive_last_messages();
}

}  // namespace

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
