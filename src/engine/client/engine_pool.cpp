// The engines of one backend.
#include "engine/client/engine_pool.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/pipeline/call_stats.h"
#include "engine/client/supervisor_launch.h"
#include "engine/common/leftovers.h"

namespace epe::engine {

namespace {

constexpr std::int64_t kMillisecond = 1'000'000;  // nanoseconds
/// How long a restart of a supervisor that has died may take.
constexpr std::int64_t kRestartMilliseconds = 3000;
constexpr std::int64_t kAnswerMilliseconds = 10000;

}  // namespace

EnginePool& EnginePool::current() {
    static EnginePool* session = std::make_unique<EnginePool>().release();
    return *session;
}

// ----------------------------------------------------------------------------------- supervisor

bool EnginePool::is_asking() const noexcept {
    return std::any_of(engines_.begin(), engines_.end(),
                       [](const EngineConnection& engine) { return engine.is_unanswered(); });
}

Found EnginePool::find_supervisor(const EngineOptions& options) {
    // It may have died, which is known once all its messages have been read.
    pollfd socket{supervisor_.descriptor(), POLLIN, 0};
    while (supervisor_.is_open() && poll(&socket, 1, 0) > 0) receive();
    try {
        if (supervisor_.is_open()) {
            (void)supervisor_.flush();
            return Found::kConnected;
        }
        if (!options.socket.empty()) {
            // The engine launcher keeps the listening socket open, so the connection may precede
            // the next supervisor.
            if (Descriptor connection = connect_to(options.socket)) {
                connect(Channel(std::move(connection), Receives::kDescriptors));
                return Found::kConnected;
            }
            const std::int64_t now = now_nanoseconds();
            if (lost_since_ == 0) lost_since_ = now;
            if (now - lost_since_ <= kRestartMilliseconds * kMillisecond) return Found::kNotYet;
        }
        launch(options);
        return Found::kConnected;
    } catch (const Error& error) {
        refuse_all(error.report());
        return Found::kNone;
    }
}

void EnginePool::report_to_next(const EngineOptions& options) {
    if (supervisor_.is_open() || options.socket.empty()) return;
    const std::int64_t now = now_nanoseconds();
    if (now - last_report_ < kSearchMilliseconds * kMillisecond) return;
    last_report_ = now;
    try {
        if (Descriptor connection = connect_to(options.socket))
            connect(Channel(std::move(connection), Receives::kDescriptors));
    } catch (const Error&) {
        supervisor_.close();  // without descriptors: later
    }
}

/// Sends a supervisor all engines and requests of this session.
void EnginePool::connect(Channel supervisor) {
    supervisor_ = std::move(supervisor);
    ++connection_;
    has_answer_ = false;
    lost_since_ = 0;
    for (EngineConnection& engine : engines_) {  // oldest first
        if (engine.is_unanswered())
            put_request(engine);
        else if (engine.has_started() && !engine.exit)
            put_adoption(engine);
    }
    (void)supervisor_.flush();
}

void EnginePool::launch(const EngineOptions& options) {
    constexpr int kMostSilentEnds = 3;
    if (silent_ends_ >= kMostSilentEnds)
        throw Error(sqlstate::kInsufficientResources,
                    "its supervisor " + describe_exit(EngineExit{last_end_, {}}));
    LaunchedSupervisor launched =
        launch_supervisor(options.program, owner_folder(options.folder), /* listener */ -1);
    supervisor_pid_ = launched.pid;
    Channel supervisor(std::move(launched.owner), Receives::kDescriptors);
    supervisor.put(ToSupervisor::kConfigure, body_of(options.supervisor));
    connect(std::move(supervisor));
}

void EnginePool::refuse(EngineConnection& engine, const ErrorReport& why) {
    engine.refusal = not_started(why.sqlstate.c_str(), why.message);
}

void EnginePool::refuse_all(const ErrorReport& why) {
    for (EngineConnection& engine : engines_)
        if (engine.is_unanswered()) refuse(engine, why);
    no_start_ = why;
    silent_ends_ = 0;
    ++heard_;
}

/// The supervisor is gone. Running engines continue; requests not answered are sent to the next
/// one.
void EnginePool::forget_supervisor() {
    supervisor_.close();
    lost_since_ = now_nanoseconds();
    const pid_t ours = std::exchange(supervisor_pid_, 0);
    if (ours == 0) return;
    while (waitpid(ours, &last_end_, 0) < 0 && errno == EINTR) {
    }
    const bool could_start = has_answer_ || was_ended_from_outside(last_end_);
    silent_ends_ = could_start ? 0 : silent_ends_ + 1;
}

void EnginePool::receive() {
    if (!supervisor_.is_open()) return;
    const bool is_alive = supervisor_.receive();
    Frame frame;
    while (supervisor_.next(frame)) handle_frame(frame);
    if (!is_alive) forget_supervisor();
}

void EnginePool::handle_frame(Frame& frame) {
    WireReader from(frame.body);
    ++heard_;
    has_answer_ = true;
    switch (static_cast<FromSupervisor>(frame.type)) {
        case FromSupervisor::kStarted: {
            const EngineStart start = read_engine_start(from);
            EngineConnection* const engine = find(start.id);
            if (engine == nullptr || frame.descriptors.empty()) break;
            engine->pid = start.pid;
            engine->process = std::move(frame.descriptors.front());
            break;
        }
        case FromSupervisor::kRefused: {
            EngineRefusal refusal = read_engine_refusal(from);
            EngineConnection* const engine = find(refusal.id);
            if (engine != nullptr) engine->refusal = std::move(refusal.report);
            break;
        }
        case FromSupervisor::kExited: {
            EngineEnd end = read_engine_end(from);
            if (EngineConnection* const engine = find(end.id))
                engine->exit = EngineExit{end.status, std::move(end.stack)};
            break;
        }
        case FromSupervisor::kEngines:
            rows_ = read_engine_rows(from);
            break;
        case FromSupervisor::kStackText: {
            StackText stack = read_stack_text(from);
            // Discard a late answer to an earlier question, which another role may have asked.
            if (stack.pid == stack_pid_) stack_.emplace(stack.is_found, std::move(stack.text));
            break;
        }
        case FromSupervisor::kHello:
            break;
        case FromSupervisor::kUnavailable:
            refuse_all(Error(sqlstate::kInsufficientResources, from.text()).report());
            break;
    }
}

// --------------------------------------------------------------------------------------- engines

EngineConnection* EnginePool::find(std::uint64_t id) noexcept {
    for (EngineConnection& engine : engines_)
        if (engine.id() == id) return &engine;
    return nullptr;
}

/// Idle engines that the supervisor has retired: their remains take memory.
void EnginePool::drop_ended() {
    receive();
    for (auto each = idle_.begin(); each != idle_.end();) {
        EngineConnection& engine = **each;
        each = engine.exit ? idle_.erase(each) : std::next(each);
        if (engine.exit) release(engine, /* is_clean */ false);
    }
}

/// Reads the messages of an idle engine. False when it is gone, or sent anything except freed
/// arenas: its earlier scripts may have left a thread that wants to answer for the next one.
bool EnginePool::is_quiet(EngineConnection& engine) {
    try {
        const bool is_alive = engine.channel().receive();
        Frame frame;
        while (engine.channel().next(frame)) {
            WireReader from(frame.body);
            if (static_cast<ToBackend>(frame.type) != ToBackend::kArenaFree) return false;
            (void)engine.handle_arena(ToBackend::kArenaFree, from);
        }
        return is_alive && !engine.channel().has_input();
    } catch (const ProtocolError&) {
        return false;
    }
}

/// A warm engine that is still alive. The supervisor may have retired it meanwhile.
EngineConnection* EnginePool::find_idle(const EngineKey& key) {
    for (auto each = idle_.begin(); each != idle_.end();) {
        EngineConnection& engine = **each;
        if (engine.key() != key) {
            ++each;
            continue;
        }
        each = idle_.erase(each);
        if (is_quiet(engine)) return &engine;
        release(engine, /* is_clean */ false);
    }
    return nullptr;
}

EngineConnection& EnginePool::acquire(const EngineOptions& options, const Script& script) {
    EngineKey key = engine_key(options, script);
    const std::string label = script.owner + "." + script.name;
    drop_ended();
    while (EngineConnection* const warm = find_idle(key)) {
        if (warm->mark_busy(options, label)) return *warm;
        release(*warm, /* is_clean */ false);
    }
    const Found found = find_supervisor(options);
    EngineConnection& engine = engines_.emplace_back(++last_id_, std::move(key), options);
    try {
        (void)engine.mark_busy(options, label);
        if (found == Found::kNone) refuse(engine, *no_start_);
        if (found == Found::kConnected) put_request(engine);
        (void)supervisor_.flush();
    } catch (...) {
        release(engine, /* is_clean */ false);
        throw;
    }
    return engine;
}

void EnginePool::put_request(EngineConnection& engine) {
    const EngineConnection::FarEnds ends = engine.make_far_ends();
    supervisor_.put(ToSupervisor::kAcquire, body_of(engine.request()),
                    {ends.socket.get(), engine.page_descriptor(), ends.lifeline.get()});
}

void EnginePool::put_adoption(const EngineConnection& engine) {
    supervisor_.put(ToSupervisor::kAdopt, body_of(EngineAdoption{engine.request(), engine.pid}),
                    {engine.page_descriptor(), engine.process.get()});
}

void EnginePool::end_engines() noexcept {
    for (const EngineConnection& engine : engines_) engine.kill();
}

void EnginePool::release(EngineConnection& engine, bool is_clean) noexcept {
    try {
        if (is_clean && engine.is_light()) {
            idle_.push_front(&engine);  // most recently used first
            engine.mark_idle();
            return;
        }
        engine.kill();
        if (supervisor_.is_open() && !engine.exit && !engine.refusal) {
            supervisor_.put(ToSupervisor::kForget, body_of(EngineId{engine.id()}));
            (void)supervisor_.flush();
        }
    } catch (const std::exception&) {
        // Out of memory: the engine ends by itself, since its connection is closed below.
    }
    engines_.remove_if([&](const EngineConnection& each) { return &each == &engine; });
}

void EnginePool::wait_for_exit(EngineConnection& engine, Waiter& waiter) {
    const std::int64_t deadline = now_nanoseconds() + 1000 * kMillisecond;
    while (!engine.exit && !engine.refusal && supervisor_.is_open()) {
        const std::int64_t left = (deadline - now_nanoseconds()) / kMillisecond;
        if (left <= 0) return;
        waiter.wait_readable(supervisor_.descriptor(), left);
        receive();
    }
}

ErrorReport EnginePool::start_timeout(const EngineOptions& options) const {
    ErrorReport report;
    report.sqlstate = sqlstate::kTooManyEngines;
    if (!has_answer_) {
        report.sqlstate = sqlstate::kInsufficientResources;
        report.message = "the supervisor of the Python engines has not answered within " +
                         std::to_string(options.wait_milliseconds) + " ms";
        report.hint = "See the server log for details.";
        report.engine_failure = EngineFailure::kNotStarted;
        return report;
    }
    report.message =
        "no Python engine became free within " + std::to_string(options.wait_milliseconds) + " ms";
    report.detail = "The server runs as many engines as \"oml_epe.max_engines\" allows.";
    report.hint = "Try again later, raise \"oml_epe.max_engines\", or wait longer with "
                  "\"oml_epe.engine_wait_timeout\".";
    if (options.most_engines_of_role > 0) {
        report.detail =
            "The server runs as many engines as \"oml_epe.max_engines\" allows, or as many for the "
            "role of this session as \"oml_epe.max_engines_per_role\" (" +
            std::to_string(options.most_engines_of_role) + ") allows.";
        report.hint = "Try again later, end other calls of the role, or wait longer with "
                      "\"oml_epe.engine_wait_timeout\". A superuser can raise the limits.";
    }
    return report;
}

/// Sends a question, again to the next supervisor if one ends before it has answered.
template <typename Condition>
void EnginePool::ask(ToSupervisor question, const WireWriter& body, const Condition& has_come,
                     const EngineOptions& options, Waiter& waiter) {
    const std::int64_t deadline = now_nanoseconds() + kAnswerMilliseconds * kMillisecond;
    std::uint64_t asked = 0;  // the connection that the question was sent on
    no_start_.reset();
    while (true) {
        const Found found = find_supervisor(options);
        if (has_come()) return;
        if (no_start_) throw Error(*no_start_);
        if (found == Found::kConnected && asked != connection_) {
            supervisor_.put(question, body);
            (void)supervisor_.flush();
            asked = connection_;
        }
        const std::int64_t left = (deadline - now_nanoseconds()) / kMillisecond;
        if (left <= 0)
            throw Error(sqlstate::kInsufficientResources,
                        "the supervisor of the Python engines does not answer");
        waiter.wait_readable(supervisor_.descriptor(),
                             found == Found::kConnected ? left : kSearchMilliseconds);
    }
}

std::vector<EngineRow> EnginePool::list(const EngineOptions& options, Waiter& waiter) {
    if (options.socket.empty() && !supervisor_.is_open()) return {};
    rows_.reset();
    ask(
        ToSupervisor::kList, WireWriter(), [&] { return rows_.has_value(); }, options, waiter);
    return std::exchange(rows_, std::nullopt).value_or(std::vector<EngineRow>());
}

std::optional<std::string> EnginePool::stack_of(pid_t pid, const EngineOptions& options,
                                                Waiter& waiter) {
    if (options.socket.empty() && !supervisor_.is_open()) return std::nullopt;
    stack_.reset();
    stack_pid_ = pid;
    ask(
        ToSupervisor::kStack, body_of(ProcessId{pid}), [&] { return stack_.has_value(); }, options,
        waiter);
    if (!stack_->first) return std::nullopt;
    return readable_stack(stack_->second);
}

}  // namespace epe::engine
