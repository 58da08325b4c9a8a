// The engines of one backend.
#include "engine/engine_session.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/call_stats.h"
#include "engine/environments.h"
#include "engine/launch.h"

namespace epe::engine {

namespace {

constexpr std::int64_t kMillisecond = 1'000'000;  // nanoseconds
/// How long a supervisor that has died may take to be there again.
constexpr std::int64_t kRestartMilliseconds = 3000;
constexpr std::int64_t kAnswerMilliseconds = 10000;

/// Engines that may serve each other's requests have the same.
std::string key_of(const EngineOptions& options, const Script& script) {
    WireWriter key;
    key.number(options.role);
    key.boolean(options.is_trusted);
    key.text(script.owner);
    key.text(options.environment);
    key.text(environment_stamp(options.environment));
    write(key, Greeting{kProtocolVersion, options.sandbox, options.requires_sandbox});
    return std::move(key.bytes());
}

}  // namespace

EngineSession& EngineSession::current() {
    static EngineSession* session = std::make_unique<EngineSession>().release();
    return *session;
}

// ----------------------------------------------------------------------------------- supervisor

void EngineSession::require_supervisor(const EngineOptions& options, Waiter& waiter) {
    // It may have gone, which is known once all that it has said is read.
    pollfd socket{supervisor_.descriptor(), POLLIN, 0};
    while (supervisor_.is_open() && poll(&socket, 1, 0) > 0) receive();
    if (supervisor_.is_open()) return;
    if (!options.socket.empty()) {
        const std::int64_t deadline = now_nanoseconds() + kRestartMilliseconds * kMillisecond;
        while (true) {
            Descriptor connection = connect_to(options.socket);
            if (connection) {
                supervisor_ = Channel(std::move(connection), Receives::kDescriptors);
                return;
            }
            if (now_nanoseconds() > deadline) break;
            constexpr std::int64_t kRetryMilliseconds = 20;
            waiter.wait_readable(-1, kRetryMilliseconds);
        }
    }
    LaunchedSupervisor launched = launch_supervisor(
        options.program, options.folder + "/" + std::to_string(getpid()), /* listener */ -1);
    supervisor_pid_ = launched.pid;
    supervisor_ = Channel(std::move(launched.owner), Receives::kDescriptors);
    WireWriter body;
    body.number(options.supervisor.most_engines);
    body.number(options.supervisor.idle_seconds);
    body.number(static_cast<std::int64_t>(options.supervisor.preload.size()));
    for (const std::string& name : options.supervisor.preload) body.text(name);
    supervisor_.put(ToSupervisor::kConfigure, body);
    flush(waiter);
}

/// It is gone. Engines that run go on, but nobody tells us any more how they end; those that have
/// not started never will.
void EngineSession::forget_supervisor() {
    supervisor_.close();
    const pid_t ours = std::exchange(supervisor_pid_, 0);
    while (ours != 0 && waitpid(ours, nullptr, 0) < 0 && errno == EINTR) {
    }
    for (EngineProcess& engine : engines_)
        if (engine.pid == 0 && !engine.refusal) engine.refusal = "its supervisor has ended";
}

/// A supervisor that takes nothing can be left by an interrupt: the rest is sent next time.
void EngineSession::flush(Waiter& waiter) {
    while (!supervisor_.flush()) {
        constexpr std::int64_t kRetryMilliseconds = 10;
        waiter.wait_readable(supervisor_.descriptor(), kRetryMilliseconds);
        receive();
    }
}

void EngineSession::receive() {
    if (!supervisor_.is_open()) return;
    const bool is_alive = supervisor_.receive();
    Frame frame;
    while (supervisor_.next(frame)) handle(frame);
    if (!is_alive) forget_supervisor();
}

void EngineSession::handle(Frame& frame) {
    WireReader from(frame.body);
    switch (static_cast<FromSupervisor>(frame.type)) {
        case FromSupervisor::kStarted: {
            EngineProcess* const engine = find(from.number<std::uint64_t>());
            const auto pid = from.number<std::int32_t>();
            if (engine == nullptr || frame.descriptors.empty()) break;
            engine->pid = pid;
            engine->process = std::move(frame.descriptors.front());
            break;
        }
        case FromSupervisor::kRefused:
            if (EngineProcess* const engine = find(from.number<std::uint64_t>()))
                engine->refusal = from.text();
            break;
        case FromSupervisor::kExited: {
            EngineProcess* const engine = find(from.number<std::uint64_t>());
            const auto status = from.number<std::int32_t>();
            if (engine != nullptr) engine->exit = EngineExit{status, from.text()};
            break;
        }
        case FromSupervisor::kEngines: {
            constexpr std::int64_t kMost = 1 << 20;
            std::vector<EngineRow>& rows = rows_.emplace();
            const std::int64_t count = from.count(kMost);
            for (std::int64_t i = 0; i < count; ++i) {
                EngineRow row;
                row.pid = from.number<std::int32_t>();
                row.backend = from.number<std::int32_t>();
                row.role = from.number<std::uint32_t>();
                row.database = from.number<std::uint32_t>();
                for (std::string* text : {&row.environment, &row.state, &row.script})
                    *text = from.text();
                for (std::int64_t* number : {&row.since, &row.rows_in, &row.rows_out, &row.memory})
                    *number = from.number<std::int64_t>();
                rows.push_back(std::move(row));
            }
            break;
        }
        case FromSupervisor::kStackText: {
            const auto pid = from.number<std::int32_t>();
            const bool is_found = from.boolean();
            // Not the late answer to an earlier question, which another role may have asked.
            if (pid == stack_pid_) stack_.emplace(is_found, from.text());
            break;
        }
    }
}

// --------------------------------------------------------------------------------------- engines

EngineProcess* EngineSession::find(std::uint64_t id) noexcept {
    for (EngineProcess& engine : engines_)
        if (engine.id() == id) return &engine;
    return nullptr;
}

/// Idle engines that the supervisor has ended: what is left of them takes memory.
void EngineSession::drop_ended() {
    receive();
    for (auto each = idle_.begin(); each != idle_.end();) {
        EngineProcess& engine = **each;
        each = engine.exit ? idle_.erase(each) : std::next(each);
        if (engine.exit) release(engine, /* is_clean */ false);
    }
}

/// Takes what an idle engine has said. False when it is gone, or has said anything but that arenas
/// are free: scripts that it ran may have left a thread that wants to answer for the next one.
bool EngineSession::is_quiet(EngineProcess& engine) {
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

/// A warm engine that still lives. The supervisor may have taken it away meanwhile.
EngineProcess* EngineSession::find_idle(const std::string& key) {
    for (auto each = idle_.begin(); each != idle_.end();) {
        EngineProcess& engine = **each;
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

EngineProcess& EngineSession::acquire(const EngineOptions& options, const Script& script,
                                      Waiter& waiter) {
    std::string key = key_of(options, script);
    const std::string label = script.owner + "." + script.name;
    drop_ended();
    while (EngineProcess* const warm = find_idle(key)) {
        if (warm->take(options, label)) return *warm;
        release(*warm, /* is_clean */ false);
    }
    require_supervisor(options, waiter);
    EngineProcess& engine = engines_.emplace_back(++last_id_, std::move(key), options);
    try {
        (void)engine.take(options, label);
        WireWriter body;
        body.number(engine.id());
        body.text(options.environment);
        body.boolean(!options.sandbox.tcp_ports.empty());
        body.number(options.session_role);
        body.number(std::int64_t{options.most_engines_of_role});
        body.boolean(options.is_first);
        const Descriptor far_end = engine.take_far_end();
        supervisor_.put(ToSupervisor::kAcquire, body, {far_end.get(), engine.page_descriptor()});
        flush(waiter);
    } catch (...) {
        release(engine, /* is_clean */ false);
        throw;
    }
    return engine;
}

void EngineSession::release(EngineProcess& engine, bool is_clean) noexcept {
    try {
        if (is_clean && engine.is_light()) {
            idle_.push_front(&engine);  // the warmest first
            engine.give_back();
            return;
        }
        engine.kill();
        if (supervisor_.is_open() && !engine.exit && !engine.refusal) {
            WireWriter body;
            body.number(engine.id());
            supervisor_.put(ToSupervisor::kForget, body);
            (void)supervisor_.flush();
        }
    } catch (const std::exception&) {
        // Without memory: it ends by itself, since its connection is closed below.
    }
    engines_.remove_if([&](const EngineProcess& each) { return &each == &engine; });
}

void EngineSession::wait_for_exit(EngineProcess& engine, Waiter& waiter) {
    const std::int64_t deadline = now_nanoseconds() + 1000 * kMillisecond;
    while (!engine.exit && !engine.refusal && supervisor_.is_open()) {
        const std::int64_t left = (deadline - now_nanoseconds()) / kMillisecond;
        if (left <= 0) return;
        waiter.wait_readable(supervisor_.descriptor(), left);
        receive();
    }
}

/// None comes when the supervisor ends meanwhile.
template <typename Condition>
void EngineSession::wait_for_answer(const Condition& has_come, Waiter& waiter) {
    const std::int64_t deadline = now_nanoseconds() + kAnswerMilliseconds * kMillisecond;
    while (!has_come() && supervisor_.is_open()) {
        if (now_nanoseconds() > deadline)
            throw Error(sqlstate::kInsufficientResources,
                        "the supervisor of the Python engines does not answer");
        waiter.wait_readable(supervisor_.descriptor(), kAnswerMilliseconds);
        receive();
    }
}

std::vector<EngineRow> EngineSession::list(const EngineOptions& options, Waiter& waiter) {
    if (options.socket.empty() && !supervisor_.is_open()) return {};
    require_supervisor(options, waiter);
    rows_.reset();
    supervisor_.put(ToSupervisor::kList, WireWriter());
    flush(waiter);
    wait_for_answer([&] { return rows_.has_value(); }, waiter);
    return std::exchange(rows_, std::nullopt).value_or(std::vector<EngineRow>());
}

std::optional<std::string> EngineSession::stack_of(pid_t pid, const EngineOptions& options,
                                                   Waiter& waiter) {
    if (options.socket.empty() && !supervisor_.is_open()) return std::nullopt;
    require_supervisor(options, waiter);
    stack_.reset();
    stack_pid_ = pid;
    WireWriter body;
    body.number(static_cast<std::int32_t>(pid));
    supervisor_.put(ToSupervisor::kStack, body);
    flush(waiter);
    wait_for_answer([&] { return stack_.has_value(); }, waiter);
    if (!stack_ || !stack_->first) return std::nullopt;
    return readable_stack(stack_->second);
}

}  // namespace epe::engine
